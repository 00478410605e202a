// The list: what trains, how far and how well. Everything in it is live.

import { fill, h, icon, setText } from "../dom.js";
import { t } from "../i18n.js";
import { allJobs, listState, onJobsChange } from "../jobs.js";
import { compareBar } from "../parts/compare-bar.js";
import { empty } from "../parts/empty.js";
import { JobRow } from "../parts/job-row.js";
import { GROUPS, problemText } from "../parts/words.js";
import { link, replaceQuery } from "../router.js";
import { chips, drawChips, drawHeads, drawNamespaces, heads, sortSelect } from "./list-filters.js";
import { COLUMNS, sorted } from "./list-order.js";

const PAGE = 100;
const SECOND = 1_000;

export function listView({ query }) {
  const wish = {
    state: query.get("state") in GROUPS ? query.get("state") : "all",
    name: query.get("name") ?? "",
    namespace: query.get("namespace") ?? "",
    sort: query.get("sort")?.replace(/^-/, "") in COLUMNS ? query.get("sort") : "age",
    most: PAGE,
  };
  const rows = new Map();
  const parts = {
    chips: chips(wish, change),
    namespaces: h("select", { id: "namespace", onchange: (event) => change({ namespace: event.target.value }) }),
    heads: heads(wish, change),
    body: h("tbody", { role: "rowgroup" }),
    below: h("div", { class: "below" }),
    count: h("p", { class: "soft count-line", role: "status" }),
  };
  const element = frame(wish, change, parts);

  function change(wanted) {
    Object.assign(wish, { most: PAGE }, wanted);
    const { state, name, namespace, sort } = wish;
    replaceQuery("list", [], {
      state: state === "all" ? "" : state,
      name,
      namespace,
      sort: sort === "age" ? "" : sort,
    });
    update();
  }
  const update = () => drawList(wish, change, rows, parts);
  update();
  const ends = [onJobsChange(update), parts.bar?.close];
  const timer = setInterval(() => rows.forEach((row) => row.tick()), 10 * SECOND);
  return {
    title: t("list.title"),
    element,
    close: () => {
      clearInterval(timer);
      ends.forEach((end) => end?.());
    },
  };
}

function frame(wish, change, parts) {
  const search = h("input", {
    type: "search",
    id: "search",
    value: wish.name,
    placeholder: t("list.search"),
    "aria-label": t("list.search"),
    oninput: (event) => change({ name: event.target.value }),
  });
  parts.bar = compareBar();
  parts.table = h(
    "table",
    { class: "jobs", role: "table" },
    h("caption", { class: "hidden" }, t("list.title")),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, parts.heads.elements)),
    parts.body,
  );
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "title-line" },
      h("h1", { tabindex: "-1" }, t("list.title")),
      parts.count,
      h("a", { class: "button primary", href: link("new") }, icon("plus"), t("nav.new")),
    ),
    h(
      "div",
      { class: "filters" },
      parts.chips.element,
      h(
        "div",
        { class: "filters-end" },
        h("span", { class: "search" }, icon("search"), search),
        parts.namespaces,
        sortSelect(wish, change),
      ),
    ),
    h("div", { class: "card flush" }, parts.table, parts.below),
    parts.bar.element,
  );
}

function drawList(wish, change, rows, parts) {
  const all = allJobs();
  const there = all.filter(
    ({ name, namespace }) =>
      (!wish.namespace || namespace === wish.namespace) && name.toLowerCase().includes(wish.name.trim().toLowerCase()),
  );
  const matching = there.filter(GROUPS[wish.state]);
  const shown = sorted(matching, wish.sort).slice(0, wish.most);
  drawChips(parts.chips.buttons, wish, there);
  drawNamespaces(parts.namespaces, wish, all);
  drawHeads(parts.heads.cells, wish);
  drawRows(rows, parts.body, shown);
  setText(parts.count, listState().loaded ? t("list.shown", { n: matching.length }) : "");
  parts.table.hidden = !shown.length;
  drawBelow(parts.below, { wish, change, all, matching });
}

/** Rows stay the same elements, so that the focus stays where it is. */
function drawRows(rows, body, shown) {
  const wanted = new Set(shown.map(({ task_id }) => task_id));
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.element.remove();
    rows.delete(id);
  }
  shown.forEach((job, index) => {
    let row = rows.get(job.task_id);
    if (!row) rows.set(job.task_id, (row = new JobRow(job)));
    row.update(job);
    if (body.children[index] !== row.element) body.insertBefore(row.element, body.children[index] ?? null);
  });
}

function drawBelow(below, { wish, change, all, matching }) {
  const { loaded, error } = listState();
  const rest = matching.length - wish.most;
  const kind =
    error && !loaded
      ? `error${error.status}`
      : !loaded
        ? "loading"
        : !all.length
          ? "none"
          : !matching.length
            ? "nomatch"
            : rest > 0
              ? `more${rest}`
              : "";
  if (below.dataset.kind === kind) return;
  below.dataset.kind = kind;
  fill(
    below,
    kind.startsWith("error") && empty("fail", problemText(error), ""),
    kind === "loading" && skeleton(),
    kind === "none" &&
      empty(
        "star",
        t("list.none.title"),
        t("list.none.text"),
        h("a", { class: "button primary", href: link("new") }, icon("plus"), t("nav.new")),
      ),
    kind === "nomatch" &&
      empty(
        "search",
        t("list.nomatch.title"),
        t("list.nomatch.text"),
        h(
          "button",
          {
            class: "button",
            onclick: () => {
              document.getElementById("search").value = "";
              change({ state: "all", name: "", namespace: "" });
            },
          },
          t("list.reset"),
        ),
      ),
    rest > 0 &&
      h(
        "button",
        {
          class: "button more",
          onclick: () => {
            wish.most += PAGE;
            change({ most: wish.most });
          },
        },
        t("list.more", { n: Math.min(rest, PAGE) }),
      ),
  );
}

const skeleton = () =>
  h(
    "div",
    { class: "skeletons", role: "status", "aria-label": t("loading") },
    Array.from({ length: 4 }, () => h("div", { class: "skeleton" })),
  );
