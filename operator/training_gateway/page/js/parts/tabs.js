// Tabs as WAI-ARIA has them: arrows move, and only the shown panel lives.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { link } from "../router.js";

/** panels: {name: () => {element, update(content), close?()}}, made when they are first shown. */
export function tabs({ id, panels, first, label }) {
  const names = Object.keys(panels);
  const buttons = names.map((name) =>
    h(
      "button",
      {
        role: "tab",
        id: `tab-${name}`,
        "aria-controls": `panel-${name}`,
        onclick: () => choose(name),
        onkeydown: (event) => move(event, name),
      },
      t(`tab.${name}`),
    ),
  );
  const holders = names.map((name) =>
    h("div", {
      role: "tabpanel",
      id: `panel-${name}`,
      "aria-labelledby": `tab-${name}`,
      tabindex: "0",
      class: "panel",
    }),
  );
  const element = h(
    "section",
    { class: "card tabs" },
    h("div", { role: "tablist", "aria-label": label, class: "tablist" }, buttons),
    holders,
  );
  let [shown, panel, content] = [null, null, null];

  function choose(name) {
    history.replaceState(null, "", link("job", [id, name]));
    show(name);
  }
  function show(name) {
    if (name === shown) return;
    panel?.close?.();
    shown = name;
    panel = panels[name]();
    names.forEach((other, index) => {
      const isShown = other === name;
      buttons[index].setAttribute("aria-selected", String(isShown));
      buttons[index].tabIndex = isShown ? 0 : -1;
      holders[index].hidden = !isShown;
      holders[index].replaceChildren(...(isShown ? [panel.element] : []));
    });
    if (content) panel.update(content);
  }
  function move(event, name) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (names.indexOf(name) + step + names.length) % names.length;
    choose(names[next]);
    buttons[next].focus();
  }
  show(first);
  return { element, show, close: () => panel?.close?.(), update: (now) => panel.update((content = now)) };
}
