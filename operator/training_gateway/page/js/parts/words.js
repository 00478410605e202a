// What the cluster says, in the reader's language: states, reasons, errors.

import { h, icon } from "../dom.js";
import { knows, t } from "../i18n.js";

/** state -> its kind (a colour) and its drawing. */
const STATES = {
  pending: ["idle", "clock"],
  queued: ["idle", "queue"],
  starting: ["run", "spin"],
  running: ["run", "play"],
  finishing: ["run", "spin"],
  pausing: ["wait", "spin"],
  paused: ["wait", "pause"],
  restarting: ["wait", "spin"],
  completed: ["good", "check"],
  early_stopped: ["good", "check"],
  failed: ["bad", "fail"],
  deleted: ["idle", "trash"],
};

export const GROUPS = {
  all: () => true,
  active: ({ state }) => ["starting", "running", "finishing", "pausing", "restarting"].includes(state),
  waiting: ({ state }) => ["pending", "queued"].includes(state),
  paused: ({ state }) => state === "paused",
  done: ({ state }) => isDone(state),
  failed: ({ state }) => state === "failed",
};

export const isDone = (state) => ["completed", "early_stopped"].includes(state);
export const isOver = (state) => isDone(state) || ["failed", "deleted"].includes(state);
const stateWord = (state) => (knows(`state.${state}`) ? t(`state.${state}`) : state || t("state.unknown"));
export const stateKind = (state) => STATES[state]?.[0] ?? "idle";

/** The state as a coloured word with a drawing, so that no colour is needed to tell it. */
export function badge(state) {
  const [kind, drawing] = STATES[state] ?? ["idle", "dots"];
  return h("span", { class: `badge ${kind}`, dataset: { state: state ?? "" } }, icon(drawing), stateWord(state));
}

/** A reason in a sentence; what another release says is shown as it is. */
export const reasonText = (reason) => (knows(`reason.${reason}`) ? t(`reason.${reason}`) : (reason ?? ""));
export const advice = (reason) => (knows(`advice.${reason}`) ? t(`advice.${reason}`) : null);

/** Whether somebody has to know why a job is as it is: it has failed, or there is something to do about it. */
export const needsWord = ({ state, reason }) => state === "failed" || Boolean(advice(reason));

export function problemText(error) {
  const key = `problem.${error.status}`;
  return t(knows(key) ? key : "problem", { message: error.message });
}

/** What a measured number is called: train_loss, val_f1, … -> words. */
export function metricName(column) {
  const [, part, metric] = /^(train|val)_(.+)$/.exec(column) ?? [null, null, column];
  const name = knows(`metric.${metric}`) ? t(`metric.${metric}`) : metric;
  return part ? t(`metric.${part}`, { metric: name }) : name;
}
