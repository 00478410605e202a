// Whether what is shown is live: what all open streams say together.

const streams = new Map();
const changed = new EventTarget();

/** state: open, lost (with retryAt and now) or closed. */
export function report(stream, state, details = {}) {
  if (state === "closed") streams.delete(stream);
  else streams.set(stream, { state, ...details });
  changed.dispatchEvent(new Event("change"));
}

/** {state: none | open | lost, retryAt, now()}: lost if any stream is. */
export function connection() {
  const all = [...streams.values()];
  const lost = all.filter(({ state }) => state === "lost");
  if (!lost.length) return { state: all.length ? "open" : "none" };
  return {
    state: "lost",
    retryAt: Math.min(...lost.map(({ retryAt }) => retryAt)),
    now: () => lost.forEach(({ now }) => now()),
  };
}

export function onConnectionChange(listener) {
  changed.addEventListener("change", listener);
  return () => changed.removeEventListener("change", listener);
}

// A machine that wakes up, or is online again, does not wait for its turn.
const retry = () => connection().now?.();
addEventListener("online", retry);
document.addEventListener("visibilitychange", () => document.hidden || retry());
