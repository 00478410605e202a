// What is saved, and where.

import { fill, h } from "../dom.js";
import { bytes, duration, integer, moment, number } from "../format.js";
import { t } from "../i18n.js";

export function checkpointsPanel() {
  const element = h("div", { class: "stack" });
  let drawn = "";
  const update = ({ job }) => {
    const { checkpoint, volumeClaim } = job.status ?? {};
    const now = JSON.stringify([checkpoint, volumeClaim]);
    if (now === drawn) return;
    drawn = now;
    if (!checkpoint) return void fill(element, h("p", { class: "soft" }, t("checkpoints.none")));
    const facts = [
      ["checkpoints.saved", moment(checkpoint.saveTime)],
      ["checkpoints.epoch", integer(checkpoint.epoch)],
      ["checkpoints.step", integer(checkpoint.step)],
      ["checkpoints.size", bytes(checkpoint.sizeBytes)],
      [
        "checkpoints.seconds",
        checkpoint.saveSeconds < 10
          ? `${number(checkpoint.saveSeconds)}${t("unit.s")}`
          : duration(checkpoint.saveSeconds),
      ],
      ["checkpoints.path", checkpoint.path],
      ["checkpoints.claim", volumeClaim],
    ].filter(([, value]) => value);
    fill(
      element,
      h("h3", {}, t("checkpoints.newest")),
      h(
        "dl",
        { class: "facts" },
        facts.map(([key, value]) => [h("dt", {}, t(key)), h("dd", {}, value)]),
      ),
      h("p", { class: "soft" }, t("checkpoints.kept")),
    );
  };
  return { element, update };
}
