// The epochs of one job: what the server keeps, and what the stream has told since.

import { history as fetchHistory } from "./api.js";

/** Epochs that the stream has skipped are asked for at most this often, and ever more seldom while none come. */
const PAUSE = 4_000;
const LONGEST_PAUSE = 60_000;

export class History {
  constructor(task) {
    Object.assign(this, { task, attempts: [], missing: [], thinned: false, asked: 0, pause: PAUSE });
    this.rowOf = new Map();
  }

  /** All rows, by epoch. */
  get rows() {
    return [...this.rowOf.values()].sort((a, b) => a.epoch - b.epoch);
  }

  get last() {
    return Math.max(0, ...this.rowOf.keys());
  }

  async load() {
    this.asked = Date.now();
    const known = this.rowOf.size;
    const answer = await fetchHistory(this.task);
    for (const row of answer.history ?? []) this.rowOf.set(row.epoch, { ...this.rowOf.get(row.epoch), ...row });
    this.attempts = (answer.attempts ?? []).map((a) => (Array.isArray(a) ? { attempt: a[0], first_epoch: a[1] } : a));
    this.missing = (answer.missing ?? []).map((gap) => (Array.isArray(gap) ? gap : [gap.first, gap.last]));
    this.thinned = Boolean(answer.thinned);
    this.pause = this.rowOf.size > known ? PAUSE : Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  /** The newest epoch, as the stream tells it. True: something is new. */
  add(row) {
    if (!row?.epoch) return false;
    const isNew = !this.rowOf.has(row.epoch);
    this.rowOf.set(row.epoch, { ...this.rowOf.get(row.epoch), ...row });
    return isNew;
  }

  /** Whether epochs lie between that are not here, and it is time to ask for them. */
  get wantsMore() {
    const known = this.missing.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    return !this.thinned && this.rowOf.size + known < this.last && Date.now() - this.asked > this.pause;
  }
}

/** The measured numbers that occur in any row, such as train_loss, in their first order. */
export function columns(rows) {
  const found = new Set();
  for (const row of rows)
    for (const [name, value] of Object.entries(row)) if (typeof value === "number") found.add(name);
  ["epoch", "attempt", "step"].forEach((name) => found.delete(name));
  return [...found];
}

/** The row with the least validation loss, or training loss where nothing is held back. */
export function bestOf(rows) {
  const column = rows.some(({ val_loss: loss }) => typeof loss === "number") ? "val_loss" : "train_loss";
  return rows.reduce(
    (best, row) => (typeof row[column] === "number" && !(best?.[column] <= row[column]) ? row : best),
    null,
  );
}

/** At most so many rows, with the least and the greatest of every stretch kept: peaks do not vanish. */
export function thin(rows, column, most = 1500) {
  if (rows.length <= most) return rows;
  const size = Math.ceil(rows.length / (most / 2));
  const kept = [];
  for (let start = 0; start < rows.length; start += size) {
    const stretch = rows.slice(start, start + size);
    const by = (better) =>
      stretch.reduce((one, other) => (better(other[column] ?? NaN, one[column] ?? NaN) ? other : one));
    kept.push(...[...new Set([by((a, b) => a < b), by((a, b) => a > b)])].sort((a, b) => a.epoch - b.epoch));
  }
  return kept;
}
