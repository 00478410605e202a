// Several jobs beside each other: one curve each, their results, and where their recipes differ.

import { job as fetchJob } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { duration, number, percent } from "../format.js";
import { bestOf, columns, History } from "../history.js";
import { t } from "../i18n.js";
import { empty } from "../parts/empty.js";
import { jobOf, onJobsChange } from "../jobs.js";
import { chart } from "../parts/chart.js";
import { badge, metricName, problemText } from "../parts/words.js";
import { MOST, picked, write } from "../picked.js";
import { link, replaceQuery } from "../router.js";
import { summary } from "./job-recipe.js";

const FIRST = ["val_loss", "train_loss", "val_accuracy", "val_mae"];
/** column -> heading, and how it is written. */
const QUALITIES = [
  ["val_accuracy", "job.accuracy", percent],
  ["val_mae", "job.mae", number],
];
const REFRESH = 4_000;

export function compareView({ query }) {
  const asked = query.get("ids")?.split(",").filter(Boolean).slice(0, MOST);
  if (asked) write(asked);
  const ids = asked ?? picked();
  replaceQuery("compare", [], { ids: ids.join(",") });
  const title = t("compare.title");
  const heading = h("h1", { tabindex: "-1" }, title);
  if (!ids.length)
    return {
      title,
      element: h(
        "div",
        { class: "stack" },
        heading,
        h(
          "div",
          { class: "card" },
          empty(
            "check",
            t("compare.none.title"),
            t("compare.none.text"),
            h("a", { class: "button", href: link("list") }, icon("arrow"), t("job.back")),
          ),
        ),
      ),
    };
  const view = new Comparison(ids, heading);
  view.load();
  return { title, element: view.element, close: () => view.close() };
}

class Comparison {
  constructor(ids, heading) {
    this.runs = ids.map((id, index) => ({
      id,
      token: `curve-${(index % MOST) + 1}`,
      history: new History(id),
      job: null,
      error: null,
      heard: "",
    }));
    this.chart = chart(t("compare.title"));
    this.metric = h("select", { id: "metric", onchange: () => this.draw() });
    this.log = h("input", { type: "checkbox", onchange: () => this.draw() });
    this.results = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("compare.table") });
    this.recipes = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("compare.recipes") });
    const tools = h(
      "div",
      { class: "buttons" },
      h("label", { class: "check" }, this.log, t("chart.log")),
      h("label", {}, h("span", { class: "hidden" }, t("compare.metric")), this.metric),
    );
    this.element = h(
      "div",
      { class: "stack" },
      heading,
      h(
        "section",
        { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, t("compare.curves")), tools),
        this.chart.element,
      ),
      h("section", { class: "card" }, h("h2", {}, t("compare.table")), this.results),
      h("section", { class: "card" }, h("h2", {}, t("compare.recipes")), this.recipes),
    );
    const redraw = () => this.draw();
    addEventListener("themechange", redraw);
    const timer = setInterval(() => this.refresh(), REFRESH);
    this.ends = [
      onJobsChange(() => this.hear()),
      () => clearInterval(timer),
      () => removeEventListener("themechange", redraw),
      () => this.chart.close(),
    ];
  }

  close() {
    this.closed = true;
    this.ends.forEach((end) => end());
  }

  async load() {
    await Promise.all(this.runs.map((run) => this.fetch(run)));
    this.draw();
  }

  async fetch(run) {
    try {
      [run.job] = await Promise.all([fetchJob(run.id), run.history.load()]);
      run.error = null;
    } catch (error) {
      run.error = error;
    }
  }

  /** The list tells what has moved on; only that is fetched anew, now and then. */
  hear() {
    for (const run of this.runs) {
      const item = jobOf(run.id);
      if (!item || !run.job) continue;
      Object.assign(run.job, { state: item.state, epoch: item.epoch, percent: item.percent, best: item.best });
      const row = {
        epoch: item.epoch,
        train_loss: item.loss,
        val_loss: item.validation_loss,
        val_accuracy: item.accuracy,
        val_mae: item.validation_mae,
      };
      if (item.epoch > run.history.last)
        run.history.add(Object.fromEntries(Object.entries(row).filter(([, value]) => typeof value === "number")));
      run.isStale ||= run.heard !== `${item.epoch}${item.state}`;
      run.heard = `${item.epoch}${item.state}`;
    }
    this.draw();
  }

  async refresh() {
    const stale = this.runs.filter(
      (run) => run.isStale || run.history.wantsMore || (run.error && run.error.status !== 404),
    );
    if (!stale.length || document.hidden) return;
    await Promise.all(stale.map((run) => ((run.isStale = false), this.fetch(run))));
    this.draw();
  }

  draw() {
    if (this.closed) return;
    const runs = this.runs.filter(({ job }) => job);
    const found = [...new Set(runs.flatMap(({ history }) => columns(history.rows)))];
    const metric = this.choose(found);
    const lines = runs
      .map(({ id, token, job, history }) => ({
        key: id,
        column: metric,
        rows: history.rows.filter((row) => typeof row[metric] === "number"),
        token,
        name: job.name,
      }))
      .filter(({ rows }) => rows.length);
    this.chart.draw({ lines, log: this.log.checked, nothing: t("chart.none") });
    fill(this.results, this.table(metric));
    fill(this.recipes, differences(runs));
  }

  choose(found) {
    const all = [...FIRST.filter((name) => found.includes(name)), ...found.filter((name) => !FIRST.includes(name))];
    if (this.metric.dataset.all !== all.join()) {
      const before = this.metric.value;
      this.metric.dataset.all = all.join();
      fill(
        this.metric,
        all.map((name) => h("option", { value: name }, metricName(name))),
      );
      if (all.includes(before)) this.metric.value = before;
    }
    return this.metric.value || "val_loss";
  }

  table(metric) {
    const heads = [
      "list.name",
      "list.state",
      "list.epoch",
      "compare.best",
      ...this.qualities().map(([, key]) => key),
      "compare.last",
      "compare.took",
    ];
    const rows = this.runs.map((run) =>
      run.job
        ? this.row(run, metric)
        : h(
            "tr",
            {},
            h("th", { scope: "row" }, run.id),
            h(
              "td",
              { colspan: heads.length },
              run.error
                ? run.error.status === 404
                  ? t("compare.lost", { name: run.id })
                  : problemText(run.error)
                : t("loading"),
            ),
            this.removal(run),
          ),
    );
    return h(
      "table",
      { class: "numbers compare-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((key) => h("th", { scope: "col" }, t(key))),
          h("th", {}, h("span", { class: "hidden" }, t("list.actions"))),
        ),
      ),
      h("tbody", {}, rows),
    );
  }

  /** Accuracy, mean absolute error, or both: whatever any of them has. */
  qualities() {
    return QUALITIES.filter(([column]) => this.runs.some(({ history }) => columns(history.rows).includes(column)));
  }

  row(run, metric) {
    const { job, history, token, id } = run;
    const rows = history.rows;
    const best = bestOf(rows);
    const last = rows.findLast((row) => typeof row[metric] === "number");
    const isWhole = rows.length > 0 && rows.length === history.last;
    const seconds = isWhole ? rows.reduce((sum, { time_per_epoch: time }) => sum + (time ?? 0), 0) : null;
    const swatch = h("span", { class: `swatch ${token}`, "aria-hidden": "true" });
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, swatch, h("a", { href: link("job", [id]) }, job.name)),
      h("td", {}, badge(job.state)),
      h("td", {}, `${job.epoch ?? 0} / ${job.epochs ?? "?"}`),
      h(
        "td",
        {},
        number(job.best?.loss ?? best?.val_loss),
        best && h("span", { class: "soft" }, ` ${t("list.at", { epoch: job.best?.epoch ?? best.epoch })}`),
      ),
      this.qualities().map(([column, , shown]) => h("td", {}, shown(best?.[column]))),
      h("td", {}, number(last?.[metric])),
      h("td", {}, duration(seconds)),
      this.removal(run),
    );
  }

  removal({ id, job }) {
    return h(
      "td",
      {},
      h(
        "button",
        {
          class: "button small quiet square",
          "aria-label": t("compare.remove", { name: job?.name ?? id }),
          onclick: () => {
            write(picked().filter((other) => other !== id));
            location.hash = link("compare", [], { ids: picked().join(",") });
          },
        },
        icon("close"),
      ),
    );
  }
}

/** Rows of the recipes' summaries that are not the same for all. */
function differences(runs) {
  const recipes = runs.map(({ job }) => new Map(summary(job.manifest?.spec ?? {})));
  const keys = [...new Set(recipes.flatMap((recipe) => [...recipe.keys()]))].filter(
    (key) => new Set(recipes.map((recipe) => recipe.get(key))).size > 1,
  );
  if (!keys.length) return h("p", { class: "soft" }, t("compare.same"));
  return h(
    "table",
    { class: "numbers" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th"),
        runs.map(({ job }) => h("th", { scope: "col" }, job.name)),
      ),
    ),
    h(
      "tbody",
      {},
      keys.map((key) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, t(`recipe.${key}`)),
          recipes.map((recipe) => h("td", {}, recipe.get(key) ?? "–")),
        ),
      ),
    ),
  );
}
