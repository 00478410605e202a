// The form: the fields of the API's start request, with its defaults.

import { start, upload } from "../api.js";
import { h, icon, setText } from "../dom.js";
import { bytes } from "../format.js";
import { t } from "../i18n.js";
import { columnsOf } from "../parts/columns.js";
import { field, offer } from "../parts/fields.js";
import { offerNamespaces } from "../parts/namespaces.js";
import { complain, toast } from "../parts/notices.js";
import { problemText } from "../parts/words.js";
import { go } from "../router.js";

const LARGEST_FILE = 512 * 1000;
/** What is filled in outlives a look elsewhere, as the manifest does; goes with the tab. */
const DRAFT = "trainingjob.form";
const hint = (name) => ({ hint: t(`new.${name}.hint`) });
const options = (prefix, names) => names.map((name) => [name, t(`${prefix}.${name}`)]);

/** schedule -> the fields that belong to it. */
const SCHEDULES = {
  step: ["step_size", "gamma"],
  plateau: ["patience", "factor"],
  cosine: ["T_max", "eta_min"],
  exponential: ["gamma"],
  linear: [],
  one_cycle: [],
  constant: [],
};
const SOURCES = { upload: ["file"], path: ["data_path"], default: [] };
/** How the server calls what the form calls otherwise. */
const ALSO = { dataset_id: "file" };
const SOURCE_FIELDS = new Set(Object.values(SOURCES).flat());

/** section -> [field, what it is]. */
const sections = () => ({
  general: [
    ["name", { required: true, ...hint("name"), maxlength: 200 }],
    ["namespace", {}],
  ],
  data: [
    [
      "source",
      {
        kind: "select",
        initial: "upload",
        options: options("new.source", Object.keys(SOURCES)),
        ...hint("source"),
      },
    ],
    ["data_path", hint("data_path")],
    ["file", { kind: "file", accept: ".csv,.parquet", ...hint("file") }],
    [
      "task",
      {
        kind: "select",
        initial: "",
        options: [["", t("new.task.auto")], ...options("new.task", ["classification", "regression"])],
      },
    ],
    ["target_column", hint("target_column")],
    ["feature_columns", { kind: "list", ...hint("feature_columns") }],
  ],
  model: [
    ["model_type", { kind: "select", initial: "mlp", options: options("new.model", ["mlp", "cnn", "lstm", "gru"]) }],
    ["hidden_units", { kind: "list", initial: "64, 32", "data-numbers": "1", ...hint("hidden_units") }],
    ["dropout_rate", { kind: "number", initial: 0.2, ...hint("dropout_rate") }],
  ],
  training: [
    ["epochs", { kind: "number", initial: 100 }],
    ["batch_size", { kind: "number", initial: 32, ...hint("batch_size") }],
    ["learning_rate", { kind: "number", initial: 0.001 }],
    [
      "learning_rate_scheduler",
      { kind: "select", initial: "step", options: options("new.scheduler", Object.keys(SCHEDULES)) },
    ],
    ["step_size", { kind: "number", initial: 30 }],
    ["gamma", { kind: "number", initial: 0.1 }],
    ["patience", { kind: "number", initial: 5 }],
    ["factor", { kind: "number", initial: 0.5 }],
    ["T_max", { kind: "number", ...hint("T_max") }],
    ["eta_min", { kind: "number", initial: 0 }],
  ],
  stopping: [
    ["early_stopping_patience", { kind: "number", initial: 10, ...hint("early_stopping_patience") }],
    ["min_delta", { kind: "number", initial: 0.001 }],
  ],
  place: [
    ["nodes", { kind: "number", ...hint("nodes") }],
    ["gpus", { kind: "number", ...hint("gpus") }],
    ["image", hint("image")],
  ],
});

export function newForm() {
  const fields = new Map();
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
  const groups = Object.entries(sections()).map(([section, list]) => {
    const made = list.map(([name, what]) =>
      fields.set(name, field(name, { ...what, initial: draft[name] ?? what.initial })).get(name),
    );
    return h(
      "fieldset",
      { class: "card" },
      h("legend", {}, t(`new.section.${section}`)),
      h(
        "div",
        { class: "fields" },
        made.map(({ element }) => element),
      ),
    );
  });
  const summary = h("p", { class: "form-error", role: "alert" });
  const button = h("button", { class: "button primary" }, icon("play"), h("span", {}, t("new.go")));
  const element = h(
    "form",
    {
      class: "stack",
      novalidate: true,
      oninput: () => {
        showFitting(fields);
        keep(fields);
      },
      onsubmit: (event) => submit(event, { fields, summary, button }),
    },
    groups,
    h("div", { class: "form-end" }, summary, button),
  );
  fields.get("file").input.addEventListener("change", () => offerColumns(fields));
  showFitting(fields);
  offerNamespaces(fields.get("namespace").input);
  return { element };
}

function showFitting(fields) {
  const source = fields.get("source").value();
  fields.get("source").say(source === "default" ? t("new.source.hint") : "");
  const wanted = new Set([
    ...SOURCES[source],
    ...SCHEDULES[fields.get("learning_rate_scheduler").value()],
  ]);
  const conditional = new Set([...SOURCE_FIELDS, ...Object.values(SCHEDULES).flat()]);
  for (const [name, one] of fields) if (conditional.has(name)) one.show(wanted.has(name));
  fields.get("min_delta").show(fields.get("early_stopping_patience").value() !== undefined);
}

function keep(fields) {
  const texts = [...fields].filter(([name]) => name !== "file").map(([name, { input }]) => [name, input.value]);
  sessionStorage.setItem(DRAFT, JSON.stringify(Object.fromEntries(texts)));
}

/** What can be predicted from the file, and what the server takes if nobody chooses. */
async function offerColumns(fields) {
  const { input, say } = fields.get("target_column");
  const file = fields.get("file").value();
  const columns = file ? await columnsOf(file) : [];
  offer(input, columns);
  say(columns.length ? t("new.target_column.last", { name: columns.at(-1) }) : t("new.target_column.hint"));
}

async function submit(event, { fields, summary, button }) {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  setText(button.lastChild, t("new.going"));
  setText(summary, "");
  fields.forEach((one) => one.complain(null));
  try {
    const request = await requestOf(fields);
    const { task_id: task } = await start(request);
    sessionStorage.removeItem(DRAFT);
    toast(t("new.started", { name: request.name }));
    go("job", [task]);
  } catch (error) {
    showErrors(error, fields, summary);
  } finally {
    button.disabled = false;
    setText(button.lastChild, t("new.go"));
  }
}

/** What is shown and filled in. A file is sent before; the request names where it is then. */
async function requestOf(fields) {
  const request = { algorithm_type: "deep_learning" };
  for (const [name, { element, value }] of fields) {
    if (element.hidden || name === "source" || name === "file") continue;
    if (value() !== undefined) request[name] = value();
    else if (name === "early_stopping_patience") request[name] = null; // the API's word for never
  }
  const source = fields.get("source").value();
  if (source === "path" && !request.data_path) throw errorAt("data_path", t("new.data_path.none"));
  if (source !== "upload") return request;
  const file = fields.get("file").value();
  if (!file) throw errorAt("file", t("new.file.none")); // without any data the server would draw points
  if (file.size > LARGEST_FILE) throw errorAt("file", t("new.file.large", { size: bytes(file.size) }));
  return { ...request, dataset_id: (await upload(file, request.namespace)).dataset_id };
}

/** An error as the server would tell it. */
const errorAt = (field, message) => Object.assign(new Error(message), { errors: [{ field, message }] });

function showErrors(error, fields, summary) {
  const elsewhere = [];
  const wrong = [];
  for (const { field: path, message } of error.errors ?? []) {
    const one = fields.get(path) ?? fields.get(ALSO[path] ?? path.split(/[.[]/)[0]);
    if (!one || one.element.hidden) elsewhere.push(path ? `${path}: ${message}` : message);
    else wrong.push(one) && one.complain(message);
  }
  [...fields.values()].find((one) => wrong.includes(one))?.input.focus();
  const words = wrong.length
    ? [t("new.errors", { n: wrong.length }), ...elsewhere]
    : elsewhere.length
      ? elsewhere
      : [problemText(error)];
  setText(summary, words.join(" "));
  if (!wrong.length && !error.errors?.length) complain(error);
}
