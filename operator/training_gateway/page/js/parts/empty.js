// What stands where nothing is.

import { h, icon } from "../dom.js";

export const empty = (drawing, title, words, action) =>
  h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-icon" }, icon(drawing)),
    h("h2", {}, title),
    words && h("p", { class: "soft" }, words),
    action,
  );
