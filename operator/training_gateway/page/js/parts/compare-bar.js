// What is ticked, at the foot of the list.

import { h, icon, setText } from "../dom.js";
import { t } from "../i18n.js";
import { onPickedChange, picked, write } from "../picked.js";
import { link } from "../router.js";

export function compareBar() {
  const words = h("span", { role: "status" });
  const element = h(
    "div",
    { class: "compare-bar" },
    words,
    h(
      "button",
      {
        class: "button small quiet",
        onclick: () => {
          write([]);
          document.querySelectorAll(".jobs input[type=checkbox]").forEach((box) => (box.checked = false));
        },
      },
      t("compare.clear"),
    ),
    h("a", { class: "button primary small", href: link("compare") }, icon("check"), t("compare.go")),
  );
  const update = () => {
    element.hidden = !picked().length;
    setText(words, t("compare.bar", { n: picked().length }));
  };
  update();
  return { element, close: onPickedChange(update) };
}
