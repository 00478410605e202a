// What the job was asked to do: in short, and as the manifest.

import { fill, h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { copyButton } from "../parts/command.js";
import { go } from "../router.js";
import { toYaml } from "../yaml.js";

export const DRAFT = "trainingjob.draft";

export function recipePanel() {
  const element = h("div", { class: "recipe" });
  let drawn = "";
  const update = ({ job: { manifest } }) => {
    const now = JSON.stringify(manifest);
    if (!manifest || now === drawn) return;
    drawn = now;
    const text = toYaml(written(manifest));
    const buttons = h(
      "div",
      { class: "buttons" },
      copyButton(() => text),
      h("button", { class: "button small", onclick: () => useAgain(manifest) }, icon("plus"), t("recipe.again")),
    );
    fill(
      element,
      h(
        "section",
        {},
        h("h3", {}, t("recipe.summary")),
        h(
          "dl",
          { class: "facts" },
          summary(manifest.spec ?? {}).map(([key, value]) => [h("dt", {}, t(`recipe.${key}`)), h("dd", {}, value)]),
        ),
      ),
      h(
        "section",
        {},
        h("div", { class: "card-head" }, h("h3", {}, t("recipe.yaml")), buttons),
        h("pre", { tabindex: "0", "aria-label": t("recipe.yaml") }, h("code", {}, text)),
      ),
    );
  };
  return { element, update };
}

/** Without what the cluster has added. */
function written({ metadata: { creationTimestamp: _, generation: __, ...metadata }, ...manifest }) {
  return { apiVersion: manifest.apiVersion, kind: manifest.kind, metadata, spec: manifest.spec };
}

/** The form opens with it: another name, not paused, and nothing that belongs to this job alone. */
function useAgain({ apiVersion, kind, metadata, spec }) {
  const { suspend: _, ...wanted } = spec;
  const copy = {
    apiVersion,
    kind,
    metadata: { name: `${metadata.name}-2`, namespace: metadata.namespace },
    spec: wanted,
  };
  sessionStorage.setItem(DRAFT, toYaml(copy));
  go("new", ["yaml"]);
}

/** The kind of it first. */
const words = (section, skip = []) =>
  section &&
  Object.entries(section)
    .filter(([key]) => !skip.includes(key))
    .sort(([a], [b]) => (b === "type") - (a === "type"))
    .map(([key, value]) =>
      key === "type" ? value : `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`,
    )
    .join(", ");

/** [key, value] of what tells most; the manifest below has all of it. */
export function summary({ training, script, nodes = 1, processesPerNode = 1, pod }) {
  const { model = {}, optimizer, schedule, data = {} } = training ?? {};
  return [
    ["task", training?.task],
    ["model", model.type],
    ["hidden", model.hiddenUnits?.join(", ")],
    ["dropout", model.dropout],
    ["epochs", training?.epochs],
    ["batch", training?.batchSize],
    ["optimizer", words(optimizer, ["learningRate"])],
    ["rate", optimizer?.learningRate],
    ["schedule", words(schedule)],
    ["data", data.path],
    ["target", data.target],
    ["validation", words(data.validation)],
    ["stopping", words(training?.earlyStopping)],
    ["script", script && words(script)],
    ["nodes", `${nodes} × ${processesPerNode}`],
    ["image", pod?.image],
  ]
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([key, value]) => [key, String(value)]);
}
