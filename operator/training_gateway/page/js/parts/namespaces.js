// Where trainings of one's own go.

import { me } from "../api.js";
import { offer } from "./fields.js";

/** Those that one may use, the usual one first; none if nobody says. */
export async function namespaces() {
  const { namespaces: all = [] } = await me().catch(() => ({}));
  return [...all].sort((a, b) => (b === "default") - (a === "default"));
}

/** Offers them at a field, and fills the usual one in unless somebody was faster. */
export async function offerNamespaces(input) {
  const all = await namespaces();
  offer(input, all);
  if (!input.value && document.activeElement !== input) input.value = all[0] ?? "";
}
