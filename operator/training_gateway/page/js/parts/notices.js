// What is said beside the view: banners that stay, toasts that go.

import { connection, onConnectionChange } from "../connection.js";
import { h, fill, icon } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { onTokenChange, tokenState } from "../session.js";
import { tokenForm } from "./token-form.js";
import { problemText } from "./words.js";

const TOAST_TIME = 5_000;
/** A connection that is back within this time is not worth a word. */
const PATIENCE = 1_500;

export function toast(text, kind = "good") {
  const note = h("div", { class: `toast ${kind}` }, icon(kind === "bad" ? "fail" : "check"), h("span", {}, text));
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), TOAST_TIME);
}

export const complain = (error) => toast(problemText(error), "bad");

let lostSince = null;

/** Keeps the banners as they should be; returns what draws them anew, in another language. */
export function watchNotices() {
  const element = document.getElementById("banner");
  const draw = () => drawBanners(element);
  onConnectionChange(() => {
    const { state } = connection();
    if (state === "lost") lostSince ??= Date.now();
    else if (state === "open" && lostSince !== null) {
      if (Date.now() - lostSince > PATIENCE) toast(t("back"));
      lostSince = null;
    }
    draw();
  });
  onTokenChange(draw);
  setInterval(() => lostSince !== null && draw(), 1000);
  return () => {
    delete element.dataset.shown;
    draw();
  };
}

function drawBanners(element) {
  const shown = tokenState() === "expired" ? "expired" : isLost() ? "lost" : "";
  if (shown === "lost") return drawLost(element);
  if (element.dataset.shown === shown) return undefined;
  element.dataset.shown = shown;
  return fill(element, shown === "expired" && expiredBanner());
}

const isLost = () => tokenState() === "given" && lostSince !== null && Date.now() - lostSince > PATIENCE;

function drawLost(element) {
  if (element.dataset.shown !== "lost") {
    element.dataset.shown = "lost";
    const again = h("button", { class: "button small", onclick: () => connection().now?.() }, t("lost.now"));
    fill(
      element,
      h(
        "div",
        { class: "banner wait", dataset: { banner: "lost" } },
        icon("warn"),
        h(
          "p",
          {},
          h("span", { class: "lost-text" }, t("lost.text", { age: duration((Date.now() - lostSince) / 1000) })),
          " ",
          h("span", { class: "lost-next", "aria-hidden": "true" }),
        ),
        again,
      ),
    );
  }
  const seconds = Math.max(0, Math.ceil(((connection().retryAt ?? Date.now()) - Date.now()) / 1000));
  element.querySelector(".lost-next").textContent = t("lost.next", { seconds });
}

function expiredBanner() {
  return h(
    "div",
    { class: "banner bad", dataset: { banner: "expired" } },
    icon("warn"),
    h("div", { class: "banner-body" }, h("p", {}, t("expired.text")), tokenForm({ compact: true })),
  );
}
