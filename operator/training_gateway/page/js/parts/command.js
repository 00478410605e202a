// A command to paste, with a button that copies it.

import { h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { toast } from "./notices.js";

/** The clipboard belongs to pages that came over TLS or from this machine. */
export const copyButton = (text) =>
  navigator.clipboard
    ? h(
        "button",
        {
          type: "button",
          class: "button small",
          onclick: () => navigator.clipboard.writeText(text()).then(() => toast(t("copied"))),
        },
        icon("copy"),
        t("copy"),
      )
    : null;

export const command = (text) =>
  h("div", { class: "command" }, h("code", { tabindex: "0" }, text), copyButton(() => text));
