// How far a job is: a bar with words for those who do not see it.

import { h, setText } from "../dom.js";
import { integer } from "../format.js";
import { t } from "../i18n.js";
import { stateKind } from "./words.js";

/** {element, update(job)}. */
export function progressBar() {
  const fillElement = h("span", { class: "bar-fill" });
  const bar = h(
    "span",
    { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" },
    fillElement,
  );
  const words = h("span", { class: "bar-words" });
  return {
    element: h("span", { class: "progress" }, words, bar),
    update: (job) => update(job, { bar, fillElement, words }),
  };
}

function update({ epoch, epochs, percent, state }, { bar, fillElement, words }) {
  const share = percent ?? (epochs ? Math.round((100 * (epoch ?? 0)) / epochs) : null);
  bar.dataset.kind = stateKind(state);
  bar.setAttribute(
    "aria-label",
    epochs ? t("epoch.progress", { epoch: epoch ?? 0, epochs }) : t("epoch.open", { epoch: epoch ?? 0 }),
  );
  if (share === null) bar.removeAttribute("aria-valuenow");
  else bar.setAttribute("aria-valuenow", String(share));
  fillElement.style.width = `${share ?? 0}%`;
  setText(words, epochs ? `${integer(epoch ?? 0)} / ${integer(epochs)}` : integer(epoch ?? 0));
}
