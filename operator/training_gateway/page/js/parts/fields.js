// A field of a form: label, hint, and the error that the server has found there.

import { h, newId, setText } from "../dom.js";
import { t } from "../i18n.js";

/** {name, element, value(), say(hint), complain(text|null), show(visible)}. kind: text, number, list, select, file. */
export function field(name, { kind = "text", options, initial = "", hint, required = false, ...attributes }) {
  const id = newId(name);
  const hints = hint ? h("span", { class: "hint", id: `${id}-hint` }, hint) : null;
  const error = h("span", { class: "field-error", id: `${id}-error`, "aria-live": "polite" });
  const describe = [hints && hints.id, error.id].filter(Boolean).join(" ");
  const common = { id, name, "aria-describedby": describe, "aria-required": required ? "true" : null, ...attributes };
  const input =
    kind === "select"
      ? h(
          "select",
          common,
          options.map(([value, text]) => h("option", { value, selected: value === initial }, text)),
        )
      : h("input", {
          ...common,
          type: kind === "file" ? "file" : "text",
          inputmode: kind === "number" ? "decimal" : null,
          autocomplete: "off",
          ...(kind === "file" ? {} : { value: String(initial) }),
        });
  const element = h("div", { class: "field" }, h("label", { for: id }, t(`new.${name}`)), input, hints, error);
  const complain = (text) => {
    setText(error, text ?? "");
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => complain(null));
  return {
    name,
    element,
    input,
    say: (text) => setText(hints, text),
    complain,
    value: () => READ[kind](input),
    show: (visible) => (element.hidden = !visible),
  };
}

/** Words to pick from, beside whatever one types. */
export function offer(input, words) {
  const id = `${input.id}-list`;
  document.getElementById(id)?.remove();
  input.after(
    h(
      "datalist",
      { id },
      words.map((value) => h("option", { value })),
    ),
  );
  input.setAttribute("list", id);
}

const READ = {
  text: (input) => input.value.trim() || undefined,
  select: (input) => input.value || undefined,
  file: (input) => input.files[0],
  /** What is no number goes to the server as it is: it says what is wrong. */
  number: (input) => (input.value.trim() === "" ? undefined : toNumber(input.value.trim())),
  list: (input) => {
    const items = input.value
      .split(/[,，]/)
      .map((item) => item.trim())
      .filter(Boolean);
    return items.length ? items.map(input.dataset.numbers ? toNumber : (item) => item) : undefined;
  },
};

const toNumber = (text) => (Number.isFinite(Number(text)) ? Number(text) : text);
