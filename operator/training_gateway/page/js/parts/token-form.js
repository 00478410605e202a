// Where a token is pasted: on the login page, and in the banner when one has expired.

import { me } from "../api.js";
import { h, newId, setText } from "../dom.js";
import { t } from "../i18n.js";
import { setToken } from "../session.js";
import { problemText } from "./words.js";

export function tokenForm({ compact = false } = {}) {
  const id = newId("token");
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
  const input = h("input", {
    id,
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    name: "token",
    dataset: compact ? {} : { first: "" },
    "aria-describedby": error.id,
  });
  const button = h("button", { class: "button primary" }, t("login.go"));
  const form = h(
    "form",
    {
      class: compact ? "token-form compact" : "token-form",
      novalidate: true,
      onsubmit: (event) => submit(event, { input, error, button }),
    },
    h("label", { for: id }, t("login.token")),
    h("div", { class: "with-button" }, input, showButton(input)),
    error,
    button,
  );
  return form;
}

function showButton(input) {
  const button = h(
    "button",
    {
      type: "button",
      class: "button small quiet",
      "aria-pressed": "false",
      onclick: () => {
        const show = input.type === "password";
        input.type = show ? "text" : "password";
        button.setAttribute("aria-pressed", String(show));
        setText(button, t(show ? "login.hide" : "login.show"));
      },
    },
    t("login.show"),
  );
  return button;
}

async function submit(event, { input, error, button }) {
  event.preventDefault();
  const given = input.value.trim().replace(/^Bearer\s+/i, "");
  if (!/^[\x21-\x7e]+$/.test(given)) return refuse(input, error, t(given ? "login.refused" : "login.empty"));
  button.disabled = true;
  try {
    await me(given); // a token that is refused never becomes the session's
    setToken(given);
  } catch (problem) {
    refuse(input, error, problem.status === 401 ? t("login.refused") : problemText(problem));
  } finally {
    button.disabled = false;
  }
  return undefined;
}

function refuse(input, error, text) {
  setText(error, text);
  input.setAttribute("aria-invalid", "true");
  input.focus();
}
