// One job: what it does, how well, and what happened to it. Live from its own stream.

import { address, job as fetchJob } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { History } from "../history.js";
import { t } from "../i18n.js";
import { empty } from "../parts/empty.js";
import { jobCharts } from "../parts/job-charts.js";
import { complain } from "../parts/notices.js";
import { tabs } from "../parts/tabs.js";
import { isOver, needsWord, problemText } from "../parts/words.js";
import { link } from "../router.js";
import { openStream } from "../stream.js";
import { checkpointsPanel } from "./job-checkpoints.js";
import { epochsPanel } from "./job-epochs.js";
import { head } from "./job-head.js";
import { logsPanel } from "./job-logs.js";
import { recipePanel } from "./job-recipe.js";
import { storyPanel } from "./job-story.js";

const PANELS = {
  story: storyPanel,
  checkpoints: checkpointsPanel,
  recipe: recipePanel,
  epochs: epochsPanel,
  logs: logsPanel,
};
/** Events come without a state change too. */
const REFRESH = 20_000;
/** What the stream has skipped may be kept only after the last word about the job. */
const CATCH_UP = 4_000;

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
    this.element = h(
      "div",
      { class: "stack" },
      this.head.element,
      h(
        "div",
        { class: "skeletons", id: "job-loading", role: "status", "aria-label": t("loading") },
        h("div", { class: "skeleton tall" }),
      ),
    );
  }

  follow({ view, parts: [id, tab] }) {
    if (view !== "job" || id !== this.id) return false;
    this.tabs.show(tab in PANELS ? tab : "story");
    return true;
  }

  start() {
    const stream = address(`stream-progress/${encodeURIComponent(this.id)}`);
    this.ends.push(
      openStream(stream, {
        onOpen: () => this.load(),
        onEvent: (event) => this.hear(event),
        onGone: (error) => this.fail(error),
      }),
    );
    const timers = [
      setInterval(() => document.hidden || this.refresh(), REFRESH),
      setInterval(() => document.hidden || this.catchUp(), CATCH_UP),
    ];
    this.ends.push(
      () => timers.forEach((timer) => clearInterval(timer)),
      () => this.charts.close(),
      () => this.tabs.close(),
    );
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

  /** A failure now is shown by the stream. */
  async refresh() {
    if (this.job?.state === "deleted") return;
    try {
      this.job = await fetchJob(this.id);
      this.draw();
    } catch (error) {
      if (error.status === 404) this.fail(error);
    }
  }

  /** The epochs that lie between. */
  catchUp() {
    if (this.job && this.job.state !== "deleted" && this.history.wantsMore)
      this.history.load().then(
        () => this.draw(),
        () => {},
      );
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
    return type === "complete" ? "complete" : undefined;
  }

  take({
    current_epoch: epoch,
    total_epochs: epochs,
    training_state: state,
    latest_metrics: latest,
    best_metrics: best,
  }) {
    const { job } = this;
    Object.assign(job, { epoch, epochs: epochs ?? job.epochs, state: state ?? job.state });
    if (job.epochs) job.percent = Math.round((100 * epoch) / job.epochs);
    if (latest) {
      this.history.add(latest);
      Object.assign(job, { loss: latest.train_loss, validation_loss: latest.val_loss, accuracy: latest.val_accuracy });
      if (latest.time_per_epoch && job.epochs && !isOver(job.state))
        job.eta_seconds = (job.epochs - epoch) * latest.time_per_epoch;
    }
    if (typeof best?.loss === "number") job.best = best;
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
    // what there is to know comes first where there are no curves, and may never be any
    this.head.tiles.hidden = this.charts.element.hidden = !rows.length && (isOver(job.state) || needsWord(job));
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
    return fill(
      this.element,
      empty(
        "search",
        gone ? t("job.gone.title") : problemText(error),
        gone && t("job.gone.text"),
        h("a", { class: "button", href: link("list") }, icon("arrow"), t("job.back")),
      ),
    );
  }
}
