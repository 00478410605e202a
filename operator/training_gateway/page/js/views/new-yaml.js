// A manifest in YAML, judged by the API server itself while one types; each error leads to its line.

import { submit } from "../api.js";
import { fill, h, icon, newId, setText } from "../dom.js";
import { t } from "../i18n.js";
import { namespaces } from "../parts/namespaces.js";
import { toast } from "../parts/notices.js";
import { problemText } from "../parts/words.js";
import { go } from "../router.js";
import { lineOf } from "../yaml.js";
import { DRAFT } from "./job-recipe.js";

const QUIET = 700;
const EXAMPLE = `apiVersion: trainingjob.dev/v1alpha1
kind: TrainingJob
metadata:
  name: my-training
spec:
  training:
    task: classification
    epochs: 50
    batchSize: 32
    data:
      format: synthetic
      validation: {fraction: 0.2}
    model: {type: mlp, hiddenUnits: [64, 32]}
    optimizer: {type: adamw, learningRate: 0.003}
  checkpoint:
    volume:
      claimTemplate: {size: 1Gi}
`;

export function newYaml() {
  const id = newId("manifest");
  const status = h("p", { class: "check-status soft", role: "status" });
  const errors = h("ul", { class: "manifest-errors" });
  const gutter = h("div", { class: "gutter", "aria-hidden": "true" });
  const area = h("textarea", {
    id,
    class: "code",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    wrap: "off",
    rows: 18,
    "aria-describedby": `${id}-hint`,
    value: sessionStorage.getItem(DRAFT) ?? EXAMPLE,
  });
  const button = h("button", { class: "button primary" }, icon("play"), h("span", {}, t("new.go")));
  const file = h("input", {
    type: "file",
    accept: ".yaml,.yml,.json",
    class: "hidden",
    id: `${id}-file`,
    onchange: () =>
      file.files[0]?.text().then((text) => {
        area.value = text;
        changed();
      }),
  });
  const editor = { area, gutter, status, errors, button, asked: 0, usual: namespaces() };
  let timer = null;
  const changed = () => {
    sessionStorage.setItem(DRAFT, area.value);
    drawGutter(editor, []);
    clearTimeout(timer);
    timer = setTimeout(() => check(editor), QUIET);
  };
  area.addEventListener("input", changed);
  area.addEventListener("scroll", () => (gutter.scrollTop = area.scrollTop));
  area.addEventListener("keydown", (event) => indent(event, area, changed));
  const element = h(
    "form",
    { class: "card stack", novalidate: true, onsubmit: (event) => send(event, editor) },
    h(
      "div",
      { class: "card-head" },
      h(
        "div",
        {},
        h("label", { for: id, class: "strong" }, t("new.manifest")),
        h("p", { class: "soft", id: `${id}-hint` }, t("new.manifest.hint")),
      ),
      h("label", { class: "button small", for: file.id }, t("new.file.open")),
      file,
    ),
    h("div", { class: "editor" }, gutter, area),
    errors,
    h("div", { class: "form-end" }, status, button),
  );
  drawGutter(editor, []);
  check(editor);
  return { element, close: () => clearTimeout(timer) };
}

/** Into the namespace that the manifest names, or else into the usual one. */
async function put({ area, usual }, dryRun) {
  const namespace = /\bnamespace["']?\s*:/.test(area.value) ? undefined : (await usual)[0];
  return submit(area.value, { namespace, dryRun });
}

async function check(editor) {
  const asked = (editor.asked += 1);
  setText(editor.status, t("new.checking"));
  try {
    const { namespace } = await put(editor, true);
    if (asked === editor.asked) say(editor, { ok: t("new.valid", { namespace }) });
  } catch (error) {
    if (asked === editor.asked) say(editor, { error });
  }
}

async function send(event, editor) {
  event.preventDefault();
  editor.button.disabled = true;
  editor.asked += 1;
  try {
    const { task_id: task, name } = await put(editor, false);
    sessionStorage.removeItem(DRAFT);
    toast(t("new.started", { name }));
    go("job", [task]);
  } catch (error) {
    say(editor, { error });
  } finally {
    editor.button.disabled = false;
  }
}

function say(editor, { ok, error }) {
  const text = editor.area.value;
  const found = (error?.errors ?? [])
    .map(({ field, message }) => ({ field, message, line: lineOfError(text, field, message) }))
    .sort((a, b) => a.line - b.line);
  editor.status.dataset.kind = ok ? "good" : "bad";
  setText(editor.status, ok ?? (found.length ? t("new.errors", { n: found.length }) : problemText(error)));
  fill(
    editor.errors,
    found.map((one) => errorLine(one, editor.area)),
  );
  drawGutter(
    editor,
    found.map(({ line }) => line),
  );
}

/** What is no YAML has a line and no field. */
function lineOfError(text, field, message) {
  const said = /\bline (\d+)/.exec(message);
  if (field === "body") return said ? Math.min(Number(said[1]), text.split("\n").length) - 1 : null;
  return field ? lineOf(text, field) : null;
}

function errorLine({ field, message, line }, area) {
  const where =
    line === null
      ? null
      : h(
          "button",
          { type: "button", class: "link", onclick: () => select(area, line) },
          t("new.line", { line: line + 1 }),
        );
  return h("li", {}, icon("fail"), h("span", {}, field !== "body" && [h("code", {}, field), " "], message), where);
}

function select(area, line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + lines[line].length);
  area.scrollTop = Math.max(0, (line - 5) * (area.scrollHeight / lines.length));
}

function drawGutter({ area, gutter }, wrong) {
  const marked = new Set(wrong);
  fill(
    gutter,
    area.value.split("\n").map((_, index) => h("div", { class: marked.has(index) ? "wrong" : "" }, String(index + 1))),
  );
  gutter.scrollTop = area.scrollTop;
}

/** Tab indents; Escape first lets the keyboard out of the field. */
function indent(event, area, changed) {
  if (event.key === "Escape") area.dataset.leave = "1";
  if (event.key !== "Tab" || event.shiftKey || area.dataset.leave)
    return void (event.key !== "Escape" && delete area.dataset.leave);
  event.preventDefault();
  area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
  changed();
}
