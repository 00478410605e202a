// The curves of one job: losses, quality and learning rate, with its attempts and its best epoch marked.

import { fill, h, setText } from "../dom.js";
import { bestOf, columns } from "../history.js";
import { t } from "../i18n.js";
import { chart } from "./chart.js";
import { metricName } from "./words.js";

const LOSSES = ["train_loss", "val_loss"];
/** Shown one pair at a time; the first that is measured comes first. */
const QUALITIES = ["accuracy", "f1", "precision", "recall", "roc_auc", "mae", "rmse", "mse", "r2"];
const OTHER = new Set([...LOSSES, "learning_rate", "time_per_epoch", "samples_per_second"]);

export function jobCharts() {
  const losses = chart(t("chart.losses"));
  const quality = chart(t("chart.quality"), { small: true });
  const rate = chart(t("chart.rate"), { small: true });
  const log = h("input", { type: "checkbox", id: "log-scale", onchange: () => update(content) });
  const select = h("select", { "aria-label": t("chart.quality"), onchange: () => update(content) });
  const notes = h("p", { class: "soft chart-notes" });
  const element = h(
    "div",
    { class: "charts" },
    h(
      "section",
      { class: "card chart-main" },
      h(
        "div",
        { class: "card-head" },
        h("h2", {}, t("chart.losses")),
        h("label", { class: "check" }, log, t("chart.log")),
      ),
      losses.element,
      notes,
    ),
    h(
      "section",
      { class: "card" },
      h("div", { class: "card-head" }, h("h2", {}, t("chart.quality")), select),
      quality.element,
    ),
    h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", {}, t("chart.rate"))), rate.element),
  );
  let content = null;

  function update(now) {
    content = now;
    const { rows, history, job } = now;
    const found = columns(rows);
    const marks = marksOf(history, job);
    const gaps = history.missing;
    const nothing = t(rows.length ? "chart.unmeasured" : "chart.none");
    const kind = drawChoice(select, found);
    const star = starOf(job.best, bestOf(rows));
    losses.draw({ lines: pair(LOSSES, found, rows, true), log: log.checked, marks, gaps, star, nothing });
    quality.draw({
      lines: pair(kind.startsWith("=") ? [kind.slice(1)] : [`train_${kind}`, `val_${kind}`], found, rows),
      marks: bare(marks),
      gaps,
      nothing,
    });
    // from zero on: one that never changes would lie in the middle of nowhere
    rate.draw({ lines: pair(["learning_rate"], found, rows), floor: true, marks: bare(marks), gaps, nothing });
    setText(
      notes,
      [...gaps.map(([first, last]) => t("chart.missing", { first, last })), history.thinned ? t("chart.thinned") : ""]
        .filter(Boolean)
        .join(" "),
    );
  }
  addEventListener("themechange", redraw);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  function redraw() {
    if (content) update(content);
  }
  const close = () => {
    removeEventListener("themechange", redraw);
    dark.removeEventListener("change", redraw);
    [losses, quality, rate].forEach((one) => one.close());
  };
  return { element, update, close };
}

const bare = (marks) => marks.map(({ epoch }) => ({ epoch }));

function pair(wanted, found, rows, short = false) {
  return wanted
    .filter((column) => found.includes(column))
    .map((column) => ({
      column,
      rows,
      token: column.startsWith("val_") ? "curve-1" : wanted.length === 1 ? "curve-3" : "curve-2",
      name: short ? t(column.startsWith("val_") ? "chart.validation" : "chart.training") : metricName(column),
    }));
}

/** What can be chosen as quality: pairs of training and validation, then what a program measures by itself. */
function drawChoice(select, found) {
  const pairs = QUALITIES.filter((name) => found.includes(`train_${name}`) || found.includes(`val_${name}`));
  const known = new Set(pairs.flatMap((name) => [`train_${name}`, `val_${name}`]));
  const own = found.filter((name) => !known.has(name) && !OTHER.has(name)).map((name) => `=${name}`);
  const all = [...pairs, ...own];
  if (select.dataset.all !== all.join()) {
    const before = select.value;
    select.dataset.all = all.join();
    fill(
      select,
      all.map((name) => h("option", { value: name }, metricName(name.replace(/^=/, "")))),
    );
    if (all.includes(before)) select.value = before;
  }
  select.hidden = all.length < 2;
  return select.value || all[0] || "accuracy";
}

/** The best epoch as the job tells it, or else of the rows that are here. */
function starOf(told, found) {
  if (told?.epoch && typeof told.loss === "number") return { epoch: told.epoch, value: told.loss };
  return found && { epoch: found.epoch, value: found.val_loss ?? found.train_loss };
}

/** Where attempts begin after the first, and where it is paused now. What ended an attempt Events tell, while there are any. */
function marksOf({ attempts, last }, { state, status = {}, events = [] }) {
  const told = (reason) =>
    events.filter((event) => event.reason === reason).map(({ message }) => Number(/\d+/.exec(message)?.[0]));
  const failed = new Set([...told("AttemptFailed"), status.lastFailure?.attempt]);
  const resumed = new Set(told("Resumed"));
  if (status.pause?.savedStep !== undefined && state !== "paused") resumed.add(status.attempt);
  const marks = attempts
    .filter(({ first_epoch: first }) => first > 1)
    .map(({ attempt, first_epoch: epoch }) => ({
      epoch,
      label: failed.has(attempt - 1)
        ? t("chart.restarted")
        : resumed.has(attempt)
          ? t("chart.resumed")
          : t("chart.attempt", { attempt }),
    }));
  return state === "paused" && last ? [...marks, { epoch: last + 0.5, label: t("state.paused"), left: true }] : marks;
}
