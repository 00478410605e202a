// One job: what it does, how well, and what happened to it. Live from its own stream.

import { address, job as fetchJob } from "../api.js";
import { fill, h, icon, setText } from "../dom.js";
import { duration, integer, moment, number, percent } from "../format.js";
import { bestOf, History } from "../history.js";
import { t } from "../i18n.js";
import { nextStep, removeAsked, toggle } from "../parts/actions.js";
import { jobCharts } from "../parts/job-charts.js";
import { complain } from "../parts/notices.js";
import { progressBar } from "../parts/progress.js";
import { tabs } from "../parts/tabs.js";
import { badge, isOver, problemText } from "../parts/words.js";
import { pick } from "../picked.js";
import { go, link } from "../router.js";
import { openStream } from "../stream.js";
import { checkpointsPanel } from "./job-checkpoints.js";
import { epochsPanel } from "./job-epochs.js";
import { logsPanel } from "./job-logs.js";
import { recipePanel } from "./job-recipe.js";
import { storyPanel } from "./job-story.js";
import { empty } from "./list.js";

const PANELS = { story: storyPanel, checkpoints: checkpointsPanel, recipe: recipePanel, epochs: epochsPanel, logs: logsPanel };
/** Events come without a state change too. */
const REFRESH = 20_000;

export function jobView({ parts: [id, tab] }) {
  const view = new JobView(id, tab in PANELS ? tab : "story");
  view.start();
  return view;
}

class JobView {
  constructor(id, tab) {
    Object.assign(this, { id, job: null, history: new History(id), ends: [] });
    this.title = id;
    this.head = head(this);
    this.charts = jobCharts();
    this.tabs = tabs({ id, panels: PANELS, first: tab, label: t("job.tabs") });
    this.element = h("div", { class: "stack" }, this.head.element, h("div", { class: "skeletons", id: "job-loading", role: "status", "aria-label": t("loading") }, h("div", { class: "skeleton tall" })));
  }

  follow({ view, parts: [id, tab] }) {
    if (view !== "job" || id !== this.id) return false;
    this.tabs.show(tab in PANELS ? tab : "story");
    return true;
  }

  start() {
    const stream = address(`stream-progress/${encodeURIComponent(this.id)}`);
    this.ends.push(openStream(stream, { onOpen: () => this.load(), onEvent: (event) => this.hear(event), onGone: (error) => this.fail(error) }));
    const timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    this.ends.push(() => clearInterval(timer), () => this.charts.close(), () => this.tabs.close());
  }

  close() {
    this.closed = true;
    this.ends.forEach((end) => end());
  }

  async load() {
    try {
      [this.job] = await Promise.all([fetchJob(this.id), this.history.load()]);
      this.draw();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Job and, if epochs were skipped, history anew; a failure now is shown by the stream. */
  async refresh() {
    if (this.job?.state === "deleted") return;
    try {
      this.job = await fetchJob(this.id);
      if (this.history.wantsMore) await this.history.load();
      this.draw();
    } catch (error) {
      if (error.status === 404) this.fail(error);
    }
  }

  hear({ type, progress, state }) {
    if (!this.job) return type; // it is being read, with all of this in it
    if (type === "complete" && (state ?? progress?.training_state) === "deleted") {
      this.job.state = "deleted";
      this.draw();
      return "complete";
    }
    if (progress) this.take(progress);
    if (type === "complete" || progress?.training_state !== this.job.heard) this.refreshSoon(progress?.training_state);
    else if (this.history.wantsMore) this.history.load().then(() => this.draw(), () => {});
    return type === "complete" ? "complete" : undefined;
  }

  take({ current_epoch: epoch, total_epochs: epochs, training_state: state, latest_metrics: latest, best_metrics: best }) {
    const { job } = this;
    Object.assign(job, { epoch, epochs: epochs ?? job.epochs, state: state ?? job.state });
    if (job.epochs) job.percent = Math.round((100 * epoch) / job.epochs);
    if (latest) {
      this.history.add(latest);
      Object.assign(job, { loss: latest.train_loss, validation_loss: latest.val_loss, accuracy: latest.val_accuracy });
      if (latest.time_per_epoch && job.epochs && !isOver(job.state)) job.eta_seconds = (job.epochs - epoch) * latest.time_per_epoch;
    }
    if (best?.loss !== undefined) job.best = { ...job.best, ...best };
    this.draw();
  }

  refreshSoon(heard) {
    this.job.heard = heard;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.closed || this.refresh().then(() => (this.job.heard = heard)), 150);
  }

  draw() {
    if (this.closed || !this.job || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (!this.closed) this.drawNow();
    });
  }

  drawNow() {
    const { job, history } = this;
    const loading = this.element.querySelector("#job-loading");
    if (loading) {
      loading.remove();
      this.element.append(this.head.tiles, this.charts.element, this.tabs.element);
    }
    this.title = job.name;
    document.title = `${job.name} · ${t("title")}`;
    const rows = history.rows;
    this.head.update(job, rows);
    this.charts.update({ job, history, rows });
    this.tabs.update({ job, history, rows });
  }

  fail(error) {
    if (this.job && error.status === 404) {
      this.job.state = "deleted";
      return this.draw();
    }
    if (this.job) return complain(error);
    if (error.status === 401 || error.status === 0) return undefined; // the banner says it, and the stream tries again
    const gone = error.status === 404;
    return fill(this.element, empty("search", gone ? t("job.gone.title") : problemText(error), gone && t("job.gone.text"),
      h("a", { class: "button", href: link("list") }, icon("arrow"), t("job.back"))));
  }
}

function head(view) {
  const name = h("h1", { tabindex: "-1", class: "job-title" }, view.id);
  const state = h("span", { "aria-live": "polite", class: "job-state" });
  const message = h("p", { class: "job-message soft" });
  const bar = progressBar();
  const facts = h("p", { class: "job-facts soft" });
  const step = h("button", { class: "button", id: "step", hidden: true, onclick: () => toggle(view.job, step) });
  const compare = h("button", { class: "button quiet", onclick: () => {
    pick(view.id, true);
    go("list");
  } }, t("action.compare"));
  const remove = h("button", { class: "button quiet danger-quiet", id: "delete", onclick: async () => (await removeAsked(view.job)) && go("list") }, icon("trash"), t("action.delete"));
  const element = h("div", { class: "job-head" }, h("a", { class: "back", href: link("list") }, icon("arrow"), t("job.back")),
    h("div", { class: "title-line" }, h("div", { class: "job-name-line" }, name, state), h("div", { class: "buttons" }, step, compare, remove)),
    message, h("div", { class: "job-progress" }, bar.element, facts));
  const tiles = h("dl", { class: "tiles" });
  const update = (job, rows) => {
    setText(name, job.name);
    if (state.dataset.state !== job.state) fill(state, badge(job.state)).dataset.state = job.state;
    setText(message, job.state === "deleted" ? t("job.deleted") : job.message ?? "");
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
  const took = job.completed_at && job.started_at ? (Date.parse(job.completed_at) - Date.parse(job.started_at)) / 1000 : null;
  return [
    job.namespace,
    job.percent !== null && job.percent !== undefined && percent(job.percent / 100, 0),
    job.eta_seconds && !isOver(job.state) && t("job.left", { time: duration(job.eta_seconds) }),
    speed && t("job.speed", { time: speed < 10 ? `${number(Math.round(speed * 100) / 100)}${t("unit.s")}` : duration(speed) }),
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
  const quality = typeof job.accuracy === "number" || typeof last.val_accuracy === "number" ? ["job.accuracy", percent(job.accuracy ?? last.val_accuracy)]
    : typeof (job.validation_mae ?? last.val_mae) === "number" ? ["job.mae", number(last.val_mae ?? job.validation_mae)] : null;
  const tiles = [
    ["job.loss", number(job.loss ?? last.train_loss)], ["job.validation", number(job.validation_loss ?? last.val_loss)], quality,
    ["job.best", number(bestLoss), bestEpoch && t("job.best.at", { epoch: bestEpoch })], ["job.rate", number(last.learning_rate)],
  ].filter(Boolean);
  const test = job.status?.metrics?.test;
  if (test) tiles.push(["job.test", typeof test.accuracy === "number" ? percent(test.accuracy) : number(test.mae ?? test.loss), t(typeof test.accuracy === "number" ? "metric.accuracy" : test.mae !== undefined ? "metric.mae" : "metric.loss")]);
  if (element.children.length !== tiles.length) fill(element, tiles.map(() => h("div", { class: "tile" }, h("dt"), h("dd", {}, h("span", { class: "tile-value" }), h("span", { class: "tile-under" })))));
  tiles.forEach(([key, value, under], index) => {
    const tile = element.children[index];
    setText(tile.querySelector("dt"), t(key));
    setText(tile.querySelector(".tile-value"), value);
    setText(tile.querySelector(".tile-under"), under || "");
  });
}
