// What happened to a job, in plain words: what holds now, what to do, pauses, failures, events.

import { result } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { age, moment } from "../format.js";
import { knows, t } from "../i18n.js";
import { command } from "../parts/command.js";
import { advice, isDone, reasonText } from "../parts/words.js";

export function storyPanel() {
  const element = h("div", { class: "story" });
  const came = { files: null, asked: false };
  let drawn = "";
  const update = (content) => {
    const { job } = content;
    const { status = {}, events = [] } = job;
    const now = JSON.stringify([
      job.message,
      status.conditions,
      status.pause,
      status.resume,
      status.lastFailure,
      status.notices,
      events,
      came.files,
    ]);
    if (isDone(job.state) && job.manifest?.spec.training && !came.asked) {
      came.asked = true;
      result(job.task_id).then(
        ({ files }) => ((came.files = files), update(content)),
        () => (came.asked = false),
      );
    }
    if (now === drawn) return;
    drawn = now;
    fill(
      element,
      h(
        "div",
        { class: "story-main" },
        hint(status),
        model(job, came.files),
        failure(status),
        pause(status.pause),
        resumed(status.resume),
        notices(status.notices),
        happened(events),
      ),
      conditions(status.conditions ?? [], job.message),
    );
  };
  return { element, update };
}

/** If something needs a person: what it is, and the next step. */
function hint({ conditions = [] }) {
  const failed = conditions.find(({ type, status }) => (type === "Failed" || type === "Stalled") && status === "True");
  const waits = conditions.find(
    ({ type, status, reason }) => type === "Reconciling" && status === "True" && advice(reason),
  );
  const found = failed ?? waits;
  if (!found) return null;
  return h(
    "div",
    { class: `note ${failed ? "bad" : "wait"}` },
    icon(failed ? "fail" : "clock"),
    h(
      "div",
      {},
      h("strong", {}, reasonText(found.reason)),
      found.message && h("p", {}, found.message),
      advice(found.reason) && h("p", {}, h("strong", {}, `${t("story.advice")}: `), advice(found.reason)),
    ),
  );
}

/** Where what one wanted lies, and how it comes here. Without a claim it has gone with its pod. */
function model({ object_name: name, namespace }, files) {
  if (!files?.claim) return null;
  return h(
    "div",
    { class: "note good" },
    icon("check"),
    h(
      "div",
      {},
      h("strong", {}, t("story.model")),
      h("p", {}, t("story.model.where", { path: files.model, claim: files.claim })),
      h("p", {}, t("story.model.take")),
      command(`trainingjob download ${name} -n ${namespace}`),
    ),
  );
}

const part = (title, ...content) => h("section", {}, h("h3", {}, title), content);

/** Its words are not said twice. */
function failure({ lastFailure: last, conditions = [] }) {
  if (!last) return null;
  const told = conditions.some(
    ({ type, status, message }) => type === "Failed" && status === "True" && message === last.message,
  );
  const where = t("story.failure.where", { attempt: last.attempt, pod: last.pod ?? "–", code: last.exitCode ?? "–" });
  return part(
    t("story.failure"),
    !told && h("p", {}, reasonText(last.reason), " ", last.message),
    h("p", { class: "soft" }, `${where} · ${moment(last.time)}`),
  );
}

function pause(last) {
  if (!last) return null;
  const saved =
    last.savedStep === undefined ? t("story.pause.nothing") : t("story.pause.saved", { step: last.savedStep });
  const lost =
    last.lostSteps === undefined
      ? ""
      : last.lostSteps
        ? t("story.pause.lost", { n: last.lostSteps })
        : t("story.pause.kept");
  const pods = t(last.resourcesReleased ? "story.pause.released" : "story.pause.held");
  return part(
    t("story.pause"),
    h("p", {}, [saved, lost, pods].filter(Boolean).join(" ")),
    h("p", { class: "soft" }, moment(last.completedTime ?? last.requestTime)),
  );
}

function resumed(last) {
  if (!last) return null;
  const exactness = knows(`exactness.${last.exactness}`) ? t(`exactness.${last.exactness}`) : last.exactness;
  return part(
    t("story.resume"),
    h(
      "p",
      {},
      t("story.resume.text", { step: last.fromStep, attempt: last.fromAttempt }),
      " ",
      exactness,
      " ",
      last.reason,
    ),
  );
}

function notices(all) {
  return all?.length
    ? part(
        t("story.notices"),
        h(
          "ul",
          {},
          all.map((text) => h("li", {}, text)),
        ),
      )
    : null;
}

function happened(events) {
  const newest = [...events].sort((a, b) => String(b.last_at).localeCompare(String(a.last_at)));
  if (!newest.length) return part(t("story.events"), h("p", { class: "soft" }, t("story.noevents")));
  return part(t("story.events"), h("ol", { class: "timeline" }, newest.map(line)));
}

function line({ type, reason, message, count, last_at: last }) {
  return h(
    "li",
    { class: type === "Warning" ? "bad" : "run" },
    h(
      "div",
      {},
      h("strong", {}, reasonText(reason)),
      " ",
      count > 1 && h("span", { class: "soft" }, `(${t("story.times", { n: count })})`),
    ),
    h("div", {}, message),
    h("time", { datetime: last ?? "", title: moment(last), class: "soft" }, moment(last)),
  );
}

/** Yes is good, except where it is not; and of these a no has a reason that one wants to know. */
const BAD = ["Stalled", "Failed"];
const WHY_NOT = ["Ready", "CheckpointAvailable"];

/** Those that hold first. A message that stands above already is not said again. */
function conditions(all, told) {
  const ordered = [...all].sort((a, b) => (b.status === "True") - (a.status === "True"));
  const rows = ordered.map(({ type, status, reason, message, lastTransitionTime: since }) => {
    const kind = status === "Unknown" ? "idle" : status !== "True" ? "idle" : BAD.includes(type) ? "bad" : "good";
    const word = { True: "yes", False: "no" }[status] ?? "unknown";
    return h(
      "li",
      { class: status === "True" ? "" : "off" },
      h(
        "div",
        { class: "condition" },
        h("strong", {}, knows(`condition.${type}`) ? t(`condition.${type}`) : type),
        h("span", { class: `badge ${kind}` }, t(`condition.${word}`)),
      ),
      (status !== "False" || WHY_NOT.includes(type)) &&
        h(
          "div",
          {},
          reasonText(reason),
          " ",
          h("span", { class: "soft", title: moment(since) }, t("story.since", { time: age(since) })),
        ),
      status === "True" && message && message !== told && h("div", { class: "soft" }, message),
    );
  });
  return h("section", { class: "conditions" }, h("h3", {}, t("story.conditions")), h("ul", {}, rows));
}
