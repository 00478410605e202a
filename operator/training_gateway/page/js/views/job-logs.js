// The log of rank 0, as it is written.

import { logs } from "../api.js";
import { h, setText } from "../dom.js";
import { number, timeOfDay } from "../format.js";
import { t } from "../i18n.js";
import { isOver } from "../parts/words.js";

const MOST_LINES = 2_000;
const AGAIN = 3_000;

export function logsPanel() {
  const lines = h("pre", {
    class: "log",
    tabindex: "0",
    role: "log",
    "aria-label": t("logs.label"),
    "aria-live": "off",
  });
  const note = h("p", { class: "soft", role: "status" }, t("logs.waiting"));
  const follow = h("input", { type: "checkbox", checked: true });
  const element = h(
    "div",
    { class: "stack" },
    h("div", { class: "card-head" }, note, h("label", { class: "check" }, follow, t("logs.follow"))),
    lines,
  );
  const stop = new AbortController();
  const state = { job: null, rest: "" };
  const write = (text) => {
    const whole = (state.rest + text).split("\n");
    state.rest = whole.pop();
    lines.append(...whole.map((line) => h("span", { class: "log-line" }, `${readable(line)}\n`)));
    while (lines.childElementCount > MOST_LINES) lines.firstChild.remove();
    if (follow.checked) lines.scrollTop = lines.scrollHeight;
  };
  let running = false;
  const update = ({ job }) => {
    state.job = job;
    if (running) return;
    running = true;
    readAll(state, { write, note, lines, signal: stop.signal });
  };
  return { element, update, close: () => stop.abort() };
}

/** What the trainer tells in JSON, for people; everything else as it is. */
function readable(line) {
  const told = parsed(line);
  if (!told?.event) return line;
  const { time, event, ...values } = told;
  const said = Object.entries(values).map(([key, value]) => `${key} ${typeof value === "number" ? number(value) : value}`);
  return [timeOfDay(time), ...(event in values ? [] : [event]), ...said].join("  ");
}

/** An object of plain values; null for any other line. */
function parsed(line) {
  try {
    const value = line.startsWith("{") ? JSON.parse(line) : null;
    return Object.values(value ?? {}).some((one) => typeof one === "object") ? null : value;
  } catch {
    return null;
  }
}

/** Until the job is over; a log that breaks off is read again, from its end on. */
async function readAll(state, { write, note, lines, signal }) {
  while (!signal.aborted) {
    try {
      const response = await logs(state.job.task_id, signal);
      lines.replaceChildren();
      state.rest = "";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        setText(note, "");
        write(piece.value);
      }
      if (state.rest) write("\n");
      if (isOver(state.job.state)) return setText(note, t(lines.childElementCount ? "logs.over" : "logs.none"));
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error.status === 404 && isOver(state.job.state)) return setText(note, t("logs.none"));
      if (error.status && error.status !== 401 && error.status !== 404)
        setText(note, t("logs.problem", { message: error.message }));
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
  return undefined;
}
