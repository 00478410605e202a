// Server-sent events by fetch, since EventSource cannot send a bearer token. Goes on where it was when it was lost.

import { ApiError, send } from "./api.js";
import { report } from "./connection.js";
import { freshToken } from "./session.js";

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;
/** The server sends a heartbeat every 15 s: after this long without one nobody is there any more. */
const SILENCE = 40_000;

/** A tab that nobody has seen for so long gives its connections back: a browser has six for all tabs of a host. */
const UNSEEN = 30_000;

/** onEvent(data) for every event; onOpen(again) whenever it is open; onGone(error) when there is nothing to wait for. */
export function openStream(url, { onEvent, onOpen = () => {}, onGone = () => {} }) {
  const stop = new AbortController();
  const place = { id: "", wait: FIRST_WAIT, opened: 0 };
  live(url, { onEvent, onOpen, onGone }, place, stop.signal)
    .catch((error) => {
      if (!stop.signal.aborted) throw error;
    })
    .finally(() => report(place, "closed"));
  return () => stop.abort();
}

async function live(url, listeners, place, signal) {
  let failures = 0;
  while (!signal.aborted) {
    await freshToken(signal);
    await seen(signal);
    const opened = place.opened;
    try {
      if (await readOnce(url, listeners, place, signal)) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && [403, 404, 410].includes(error.status)) return listeners.onGone(error);
      if (error instanceof ApiError && error.status === 401) continue;
      place.retryAfter = error.retryAfter ?? null;
    }
    if (document.hidden) continue;
    failures = place.opened > opened ? 1 : failures + 1;
    await pauseBefore(failures, place, signal);
  }
}

/** True: the stream is complete, and nothing more will come. */
async function readOnce(url, { onEvent, onOpen }, place, signal) {
  const attempt = new AbortController();
  const both = AbortSignal.any([signal, attempt.signal]);
  let timer = setTimeout(() => attempt.abort(), SILENCE);
  const unwatch = whenUnseen(() => attempt.abort());
  const headers = { Accept: "text/event-stream", ...(place.id ? { "Last-Event-ID": place.id } : {}) };
  try {
    const response = await send(url, { headers, signal: both });
    place.opened += 1;
    report(place, "open");
    onOpen(place.opened > 1);
    const parser = eventParser(place);
    for await (const text of texts(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(), SILENCE);
      for (const data of parser(text)) if (onEvent(data) === "complete") return true;
    }
    return false;
  } finally {
    clearTimeout(timer);
    unwatch();
    attempt.abort();
  }
}

/** Calls back when the tab has been hidden for a while, or is left. Returns what forgets it. */
function whenUnseen(leave) {
  let timer = null;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(leave, UNSEEN);
  };
  look();
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    removeEventListener("pagehide", leave);
  };
}

/** Settles when the tab is seen. */
function seen(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => document.hidden || resolve();
    document.addEventListener("visibilitychange", look, { signal });
    signal.addEventListener("abort", resolve);
  });
}

async function* texts(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Text in pieces -> the data of whole events; notes id and retry as they come. Exported for its test. */
export function eventParser(place) {
  let rest = "";
  let data = [];
  return function* (text) {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield JSON.parse(data.join("\n"));
        data = [];
        continue;
      }
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (field === "data") data.push(value);
      else if (field === "id") place.id = value;
      else if (field === "retry" && /^\d+$/.test(value)) place.wait = Number(value);
    }
  };
}

/** Twice as long after every failure, never the same for all, and not at all once somebody asks. */
function pauseBefore(failures, place, signal) {
  const growing = Math.min(LONGEST_WAIT, Math.min(place.wait, FIRST_WAIT * 2) * 2 ** (failures - 1));
  const wait = Math.max((place.retryAfter ?? 0) * 1000, growing * (0.75 + Math.random() / 2));
  place.retryAfter = null;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, wait);
    const now = () => {
      clearTimeout(timer);
      resolve();
    };
    report(place, "lost", { retryAt: Date.now() + wait, now });
    signal.addEventListener("abort", now);
  });
}
