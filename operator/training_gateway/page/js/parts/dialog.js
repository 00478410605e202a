// A question that must be answered. The browser's own dialog keeps the focus, and gives it back.

import { h, newId } from "../dom.js";
import { t } from "../i18n.js";

/** True if the person wants it. */
export function confirm({ title, text, go }) {
  const id = newId("dialog");
  const dialog = h(
    "dialog",
    { "aria-labelledby": id, class: "dialog" },
    h("h2", { id }, title),
    text,
    h(
      "div",
      { class: "dialog-buttons" },
      h("button", { class: "button", autofocus: true, onclick: () => dialog.close("") }, t("cancel")),
      h("button", { class: "button danger", onclick: () => dialog.close("yes") }, go),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
