// The line on top: where one can go, whether it is live, theme and language.

import { connection, onConnectionChange } from "./connection.js";
import { fill, h, icon, setText } from "./dom.js";
import { LANGUAGES, language, setLanguage, t } from "./i18n.js";
import { onPickedChange, picked } from "./picked.js";
import { link } from "./router.js";
import { forgetToken, tokenState } from "./session.js";

const THEMES = { auto: "screen", light: "sun", dark: "moon" };
const header = document.getElementById("header");

export function drawHeader({ view }) {
  fill(
    header,
    h(
      "div",
      { class: "header-inner" },
      h(
        "a",
        { class: "brand", href: link("list") },
        h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }),
        h("span", {}, t("title")),
      ),
      tokenState() !== "none" && navigation(view),
      h(
        "div",
        { class: "header-end" },
        tokenState() !== "none" && liveMark(),
        languageSwitch(),
        themeSwitch(),
        tokenState() !== "none" && leave(),
      ),
    ),
  );
  drawLive();
  drawPicked();
}

function navigation(view) {
  const to = (name, text, extra) =>
    h("a", { href: link(name), "aria-current": view === name ? "page" : null }, text, extra);
  return h(
    "nav",
    { "aria-label": t("nav.label") },
    to("list", t("nav.jobs")),
    to("compare", t("nav.compare"), h("span", { class: "count", id: "picked-count" })),
  );
}

const liveMark = () =>
  h(
    "span",
    { class: "live", id: "live" },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", { class: "live-word" }),
  );

function languageSwitch() {
  const other = Object.keys(LANGUAGES).find((tag) => tag !== language());
  return h(
    "button",
    {
      class: "button quiet",
      id: "language",
      lang: other,
      "aria-label": `${t("header.language")}: ${LANGUAGES[other]}`,
      onclick: () => {
        setLanguage(other);
        dispatchEvent(new Event("languagechange-by-hand"));
        document.getElementById("language").focus();
      },
    },
    other === "zh" ? "中文" : "EN",
  );
}

function themeSwitch() {
  const theme = document.documentElement.dataset.theme;
  const next = Object.keys(THEMES)[(Object.keys(THEMES).indexOf(theme) + 1) % 3];
  const label = `${t("header.theme")}: ${t(`header.theme.${theme}`)}`;
  const button = h(
    "button",
    {
      class: "button quiet square",
      id: "theme",
      "aria-label": label,
      title: label,
      onclick: () => {
        document.documentElement.dataset.theme = next;
        localStorage.setItem("trainingjob.theme", next);
        button.replaceWith(themeSwitch());
        document.getElementById("theme").focus();
        dispatchEvent(new Event("themechange"));
      },
    },
    icon(THEMES[theme]),
  );
  return button;
}

const leave = () =>
  h(
    "button",
    { class: "button quiet square", "aria-label": t("header.leave"), title: t("header.leave"), onclick: forgetToken },
    icon("leave"),
  );

function drawLive() {
  const element = document.getElementById("live");
  if (!element) return;
  const state = tokenState() === "expired" ? "lost" : connection().state;
  element.dataset.state = state;
  setText(element.querySelector(".live-word"), t(`live.${state}`));
}

function drawPicked() {
  const element = document.getElementById("picked-count");
  if (element) setText(element, String(picked().length || ""));
}

onConnectionChange(drawLive);
onPickedChange(drawPicked);
