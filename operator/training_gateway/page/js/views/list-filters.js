// What is above the list: by which state, name, namespace and order one looks at it.

import { fill, h, setText } from "../dom.js";
import { t } from "../i18n.js";
import { GROUPS } from "../parts/words.js";
import { COLUMNS, text } from "./list-order.js";

/** On a phone there are no heads to click. */
export function sortSelect(wish, change) {
  const options = Object.keys(COLUMNS).map((key) =>
    h("option", { value: key, selected: wish.sort.replace("-", "") === key }, t(`list.${key}`)),
  );
  return h(
    "label",
    { class: "sort-select" },
    h("span", { class: "hidden" }, t("list.sort")),
    h("select", { onchange: (event) => change({ sort: event.target.value }) }, options),
  );
}

export function chips(wish, change) {
  const buttons = Object.keys(GROUPS).map((group) => {
    const count = h("span", { class: "count" });
    const button = h(
      "button",
      { class: "chip", dataset: { group }, onclick: () => change({ state: group }) },
      t(`group.${group}`),
      count,
    );
    return { group, button, count };
  });
  return {
    element: h(
      "div",
      { class: "chips", role: "group", "aria-label": t("list.filter") },
      buttons.map(({ button }) => button),
    ),
    buttons,
  };
}

export function heads(wish, change) {
  const cells = Object.keys(COLUMNS).map((column) => {
    const press = () => change({ sort: wish.sort === column ? `-${column}` : column });
    const button = h(
      "button",
      { class: "sort", onclick: press },
      t(`list.${column}`),
      h("span", { class: "sort-mark", "aria-hidden": "true" }),
    );
    return { column, cell: h("th", { scope: "col", role: "columnheader", class: `col-${column}` }, button) };
  });
  const first = h(
    "th",
    { scope: "col", role: "columnheader", class: "col-pick" },
    h("span", { class: "hidden" }, t("nav.compare")),
  );
  const last = h(
    "th",
    { scope: "col", role: "columnheader", class: "col-actions" },
    h("span", { class: "hidden" }, t("list.actions")),
  );
  return { cells, elements: [first, ...cells.map(({ cell }) => cell), last] };
}

export function drawChips(buttons, wish, jobs) {
  for (const { group, button, count } of buttons) {
    button.setAttribute("aria-pressed", String(wish.state === group));
    setText(count, String(jobs.filter(GROUPS[group]).length));
  }
}

export function drawNamespaces(select, wish, jobs) {
  const names = [...new Set(jobs.map(({ namespace }) => namespace).concat(wish.namespace || []))].sort(text);
  if (select.dataset.names === names.join()) return;
  select.dataset.names = names.join();
  select.setAttribute("aria-label", t("list.namespace"));
  fill(
    select,
    h("option", { value: "" }, t("list.namespace.all")),
    names.map((name) => h("option", { value: name }, name)),
  );
  select.value = wish.namespace;
}

export function drawHeads(cells, wish) {
  for (const { column, cell } of cells) {
    const direction = wish.sort === column ? "ascending" : wish.sort === `-${column}` ? "descending" : "none";
    cell.setAttribute("aria-sort", direction);
  }
}
