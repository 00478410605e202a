// What stands above the curves: name, state, what can be done, how far it is, and the numbers one looks for first.

import { fill, h, icon, setText } from "../dom.js";
import { duration, integer, moment, number, percent } from "../format.js";
import { bestOf } from "../history.js";
import { t } from "../i18n.js";
import { nextStep, removeAsked, toggle } from "../parts/actions.js";
import { progressBar } from "../parts/progress.js";
import { badge, isOver } from "../parts/words.js";
import { pick } from "../picked.js";
import { go, link } from "../router.js";

/** {element, tiles, update(job, rows)}. */
export function head(view) {
  const name = h("h1", { tabindex: "-1", class: "job-title" }, view.id);
  const state = h("span", { "aria-live": "polite", class: "job-state" });
  const message = h("p", { class: "job-message soft" });
  const bar = progressBar();
  const facts = h("p", { class: "job-facts soft" });
  const step = h("button", {
    class: "button",
    id: "step",
    hidden: true,
    onclick: () => toggle(view.job, step).then(() => view.refresh()),
  });
  const compare = h(
    "button",
    {
      class: "button quiet",
      hidden: true,
      onclick: () => {
        pick(view.id, true);
        go("list");
      },
    },
    t("action.compare"),
  );
  const remove = h(
    "button",
    {
      class: "button quiet danger-quiet",
      id: "delete",
      hidden: true,
      onclick: async () => (await removeAsked(view.job)) && go("list"),
    },
    icon("trash"),
    t("action.delete"),
  );
  const element = h(
    "div",
    { class: "job-head" },
    h("a", { class: "back", href: link("list") }, icon("arrow"), t("job.back")),
    h(
      "div",
      { class: "title-line" },
      h("div", { class: "job-name-line" }, name, state),
      h("div", { class: "buttons" }, step, compare, remove),
    ),
    message,
    h("div", { class: "job-progress" }, bar.element, facts),
  );
  const tiles = h("dl", { class: "tiles" });
  const update = (job, rows) => {
    setText(name, job.name);
    if (state.dataset.state !== job.state) fill(state, badge(job.state)).dataset.state = job.state;
    setText(message, job.state === "deleted" ? t("job.deleted") : (job.message ?? ""));
    bar.update(job);
    setText(facts, factsOf(job, rows).join(" · "));
    compare.hidden = remove.hidden = job.state === "deleted";
    drawStep(step, nextStep(job));
    drawTiles(tiles, job, rows);
  };
  return { element, tiles, update };
}

function drawStep(button, step) {
  button.hidden = !step;
  if (!step || button.dataset.step === step) return;
  button.dataset.step = step;
  button.classList.toggle("primary", step === "resume");
  fill(button, icon(step === "pause" ? "pause" : "play"), t(`action.${step}`));
}

function factsOf(job, rows) {
  const speed = rows.at(-1)?.time_per_epoch;
  const took =
    job.completed_at && job.started_at ? (Date.parse(job.completed_at) - Date.parse(job.started_at)) / 1000 : null;
  return [
    job.namespace,
    job.percent !== null && job.percent !== undefined && percent(job.percent / 100, 0),
    job.eta_seconds && !isOver(job.state) && t("job.left", { time: duration(job.eta_seconds) }),
    speed &&
      t("job.speed", { time: speed < 10 ? `${number(Math.round(speed * 100) / 100)}${t("unit.s")}` : duration(speed) }),
    took !== null && t("job.took", { time: duration(took) }),
    job.started_at && `${t("job.started")} ${moment(job.started_at)}`,
    job.attempt > 1 && `${t("job.attempt")} ${integer(job.attempt)}`,
    job.restarts > 0 && `${t("job.restarts")}: ${integer(job.restarts)}`,
    job.nodes > 1 && `${t("job.nodes")}: ${integer(job.nodes)}`,
  ].filter(Boolean);
}

/** The numbers that one looks for first. */
function drawTiles(element, job, rows) {
  const last = rows.at(-1) ?? {};
  const best = bestOf(rows);
  const bestLoss = job.best?.loss ?? best?.val_loss ?? best?.train_loss;
  const bestEpoch = job.best?.epoch ?? best?.epoch;
  const quality =
    typeof job.accuracy === "number" || typeof last.val_accuracy === "number"
      ? ["job.accuracy", percent(job.accuracy ?? last.val_accuracy)]
      : typeof (job.validation_mae ?? last.val_mae) === "number"
        ? ["job.mae", number(last.val_mae ?? job.validation_mae)]
        : null;
  const tiles = [
    ["job.loss", number(job.loss ?? last.train_loss)],
    ["job.validation", number(job.validation_loss ?? last.val_loss)],
    quality,
    ["job.best", number(bestLoss), bestEpoch && t("job.best.at", { epoch: bestEpoch })],
    ["job.rate", number(last.learning_rate)],
  ].filter(Boolean);
  const test = job.status?.metrics?.test;
  if (test)
    tiles.push([
      "job.test",
      typeof test.accuracy === "number" ? percent(test.accuracy) : number(test.mae ?? test.loss),
      t(typeof test.accuracy === "number" ? "metric.accuracy" : test.mae !== undefined ? "metric.mae" : "metric.loss"),
    ]);
  if (element.children.length !== tiles.length)
    fill(
      element,
      tiles.map(() =>
        h(
          "div",
          { class: "tile" },
          h("dt"),
          h("dd", {}, h("span", { class: "tile-value" }), h("span", { class: "tile-under" })),
        ),
      ),
    );
  tiles.forEach(([key, value, under], index) => {
    const tile = element.children[index];
    setText(tile.querySelector("dt"), t(key));
    setText(tile.querySelector(".tile-value"), value);
    setText(tile.querySelector(".tile-under"), under || "");
  });
}
