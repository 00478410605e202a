// One job in the list.

import { fill, h, icon, setText } from "../dom.js";
import { age, duration, moment, NOTHING, number, percent } from "../format.js";
import { t } from "../i18n.js";
import { isPicked, MOST, pick } from "../picked.js";
import { link } from "../router.js";
import { nextStep, toggle } from "./actions.js";
import { toast } from "./notices.js";
import { progressBar } from "./progress.js";
import { badge, needsWord, reasonText } from "./words.js";

const COLUMNS = ["loss", "validation", "best", "eta", "age"];

export class JobRow {
  constructor(job) {
    this.job = job;
    this.cells = Object.fromEntries(COLUMNS.map((name) => [name, cell(name)]));
    this.state = cell("state");
    this.bar = progressBar();
    this.name = h("a", { class: "job-name", href: link("job", [job.task_id]), title: job.name }, job.name);
    this.under = h("span", { class: "job-under" });
    this.why = h("span", { class: "job-why" });
    this.box = h("input", {
      type: "checkbox",
      "aria-label": t("list.pick", { name: job.name }),
      checked: isPicked(job.task_id),
      onchange: () => {
        if (pick(job.task_id, this.box.checked)) return;
        this.box.checked = false;
        toast(t("compare.full", { n: MOST }), "bad");
      },
    });
    this.button = h("button", {
      class: "button small quiet square step",
      onclick: () => toggle(this.job, this.button),
    });
    this.element = h(
      "tr",
      { role: "row", dataset: { job: job.task_id, name: job.name } },
      h("td", { class: "col-pick", role: "cell" }, h("label", { class: "tick" }, this.box)),
      h("th", { class: "col-name", scope: "row", role: "rowheader" }, this.name, this.under, this.why),
      this.state,
      h("td", { class: "col-epoch", role: "cell" }, this.bar.element),
      COLUMNS.map((name) => this.cells[name]),
      h("td", { class: "col-actions", role: "cell" }, this.button),
    );
  }

  update(job) {
    this.job = job;
    this.box.checked = isPicked(job.task_id);
    if (this.state.dataset.state !== job.state) {
      this.state.dataset.state = job.state;
      fill(this.state, badge(job.state));
    }
    this.state.title = job.message ?? "";
    setText(this.under, [job.namespace, job.model_type].filter(Boolean).join(" · "));
    setText(this.why, needsWord(job) ? reasonText(job.reason) : "");
    this.why.dataset.state = job.state;
    this.bar.update(job);
    this.#numbers(job);
    this.#step(job);
    this.tick();
  }

  /** What changes with the time alone. */
  tick() {
    setText(this.cells.age.lastChild, age(this.job.created_at));
    this.cells.age.title = moment(this.job.created_at);
  }

  #numbers(job) {
    setText(this.cells.loss.lastChild, number(job.loss));
    setText(this.cells.validation.lastChild, number(job.validation_loss));
    setText(
      this.cells.eta.lastChild,
      job.eta_seconds === null || job.eta_seconds === undefined ? NOTHING : duration(job.eta_seconds),
    );
    const { best } = job;
    setText(
      this.cells.best.lastChild,
      !best ? NOTHING : typeof best.accuracy === "number" ? percent(best.accuracy) : number(best.loss),
    );
    this.cells.best.title = best?.epoch ? `${number(best.loss)}, ${t("list.at", { epoch: best.epoch })}` : "";
  }

  #step(job) {
    const step = nextStep(job) ?? "";
    if (this.button.dataset.step === step) return;
    this.button.dataset.step = step;
    this.button.hidden = !step;
    if (!step) return;
    const label = t(`action.${step}.of`, { name: job.name });
    this.button.setAttribute("aria-label", label);
    this.button.title = label;
    fill(this.button, icon(step === "pause" ? "pause" : "play"));
  }
}

/** On a phone every number has its name before it. */
const cell = (name) =>
  h(
    "td",
    { class: `col-${name}`, role: "cell" },
    name === "state"
      ? null
      : [h("span", { class: "cell-name", "aria-hidden": "true" }, t(`list.${name}`)), h("span", {})],
  );
