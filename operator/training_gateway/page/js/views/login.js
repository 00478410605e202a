// Before anything else: a token.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { tokenForm } from "../parts/token-form.js";

export function loginView() {
  const element = h(
    "section",
    { class: "card login" },
    h("img", { src: "icon.svg", alt: "", width: 48, height: 48 }),
    h("h1", { tabindex: "-1" }, t("login.title")),
    h("p", { class: "soft" }, t("login.text")),
    tokenForm(),
    h(
      "details",
      {},
      h("summary", {}, t("login.how")),
      h("p", {}, t("login.how.text")),
      h(
        "pre",
        { tabindex: "0" },
        h("code", {}, "kubectl create token ACCOUNT -n NAMESPACE \\\n  --audience trainingjob-gateway --duration 8h"),
      ),
      h("p", { class: "soft" }, t("login.how.up")),
    ),
  );
  return { title: t("login.title"), element };
}
