// The same numbers as the curves, as a table and as a file.

import { fill, h, icon, setText } from "../dom.js";
import { number } from "../format.js";
import { columns } from "../history.js";
import { t } from "../i18n.js";
import { metricName } from "../parts/words.js";

const SHOWN = 100;

export function epochsPanel() {
  const head = h("tr");
  const body = h("tbody");
  const words = h("p", { class: "soft" });
  let content = null;
  const file = h(
    "button",
    { class: "button small", onclick: () => download(content) },
    icon("download"),
    t("epochs.download"),
  );
  const table = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("tab.epochs") },
    h("table", { class: "numbers" }, h("thead", {}, head), body),
  );
  const element = h("div", { class: "stack" }, h("div", { class: "card-head" }, words, file), table);
  const update = (now) => {
    content = now;
    const { rows } = now;
    const names = columns(rows);
    table.hidden = file.hidden = !rows.length;
    setText(words, rows.length ? t("epochs.last", { n: Math.min(SHOWN, rows.length) }) : t("epochs.none"));
    if (head.dataset.names !== names.join()) {
      head.dataset.names = names.join();
      fill(
        head,
        ["chart.epoch", "epochs.attempt"].map((key) => h("th", { scope: "col" }, t(key))),
        names.map((name) => h("th", { scope: "col" }, metricName(name))),
      );
    }
    fill(
      body,
      rows
        .slice(-SHOWN)
        .reverse()
        .map((row) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, String(row.epoch)),
            h("td", {}, String(row.attempt ?? "")),
            names.map((name) => h("td", {}, number(row[name]))),
          ),
        ),
    );
  };
  return { element, update };
}

function download({ job, rows }) {
  const names = ["epoch", "attempt", ...columns(rows)];
  const text = [names, ...rows.map((row) => names.map((name) => row[name] ?? ""))]
    .map((line) => line.join(","))
    .join("\n");
  const url = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
  const anchor = h("a", { href: url, download: `${job.name}-history.csv` });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
