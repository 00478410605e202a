// All jobs that one may see, kept up to date by one stream for all views.

import { address, jobs as fetchJobs } from "./api.js";
import { openStream } from "./stream.js";

const items = new Map();
const changed = new EventTarget();
let close = null;
let known = { loaded: false, error: null };
let waiting = false;
let listeners = 0;
/** From one view to the next. */
const LINGER = 1_000;

export const allJobs = () => [...items.values()];
export const jobOf = (id) => items.get(id);

/** {loaded, error}: whether the list has come yet, and why not. */
export const listState = () => known;

/** Called at most once a frame; returns what ends it. The stream is open while anybody listens. */
export function onJobsChange(listener) {
  changed.addEventListener("change", listener);
  listeners += 1;
  start();
  return () => {
    changed.removeEventListener("change", listener);
    listeners -= 1;
    setTimeout(() => listeners || stop(), LINGER);
  };
}

function start() {
  if (close) return;
  const queue = []; // what happens while the list is being read
  let reading = false;
  const read = async () => {
    reading = true;
    try {
      replace(await fetchJobs());
    } catch (error) {
      known = { ...known, error };
      announce();
    }
    reading = false;
    queue.splice(0).forEach(apply);
  };
  close = openStream(address("stream-jobs"), {
    onOpen: read,
    onEvent: (event) => (reading ? void queue.push(event) : apply(event)),
    onGone: (error) => {
      known = { ...known, error };
      announce();
    },
  });
}

function stop() {
  close?.();
  close = null;
}

/** Nobody is logged in any more. */
export function forgetJobs() {
  stop();
  items.clear();
  known = { loaded: false, error: null };
}

function apply({ type, job, jobs }) {
  if (type === "snapshot") return replace(jobs);
  if (!job) return undefined;
  if (type === "deleted") items.delete(job.task_id);
  else items.set(job.task_id, job);
  return announce();
}

function replace(jobs) {
  items.clear();
  for (const job of jobs) items.set(job.task_id, job);
  known = { loaded: true, error: null };
  announce();
}

function announce() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    changed.dispatchEvent(new Event("change"));
  });
}
