// How the list is sorted.

export const text = (a, b) => String(a ?? "").localeCompare(String(b ?? ""), undefined, { numeric: true });

const rising = (of) => (a, b) => (of(a) ?? Infinity) - (of(b) ?? Infinity) || 0;

const STATES = [
  "failed",
  "restarting",
  "running",
  "finishing",
  "pausing",
  "starting",
  "pending",
  "queued",
  "paused",
  "completed",
  "early_stopped",
];

/** column -> how it is sorted, the more interesting end first. */
export const COLUMNS = {
  name: (a, b) => text(a.name, b.name),
  state: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state),
  epoch: (a, b) => (b.percent ?? -1) - (a.percent ?? -1),
  loss: rising((job) => job.loss),
  validation: rising((job) => job.validation_loss),
  best: rising((job) => job.best?.loss),
  eta: rising((job) => job.eta_seconds),
  age: (a, b) => text(b.created_at, a.created_at),
};

export function sorted(jobs, sort) {
  const order = COLUMNS[sort.replace(/^-/, "")];
  const sign = sort.startsWith("-") ? -1 : 1;
  return [...jobs].sort((a, b) => sign * order(a, b) || text(b.created_at, a.created_at) || text(a.task_id, b.task_id));
}
