// Start a training: by a form, or by a manifest. What is wrong the server says, at the field.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { link } from "../router.js";
import { newForm } from "./new-form.js";
import { newYaml } from "./new-yaml.js";

const WAYS = { form: newForm, yaml: newYaml };

export function newView({ parts: [way] }) {
  const chosen = way in WAYS ? way : "form";
  const links = Object.keys(WAYS).map((name) =>
    h("a", { href: link("new", [name]), "aria-current": name === chosen ? "true" : null }, t(`new.${name}`)),
  );
  const body = WAYS[chosen]();
  const element = h(
    "div",
    { class: "stack narrow" },
    h(
      "div",
      { class: "title-line" },
      h("h1", { tabindex: "-1" }, t("new.title")),
      h("nav", { class: "segments", "aria-label": t("new.ways") }, links),
    ),
    body.element,
  );
  return { title: t("new.title"), element, close: body.close };
}
