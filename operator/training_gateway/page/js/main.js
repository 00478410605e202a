// Puts the page together: header, banners, and the view that the address names.

import { fill, setText } from "./dom.js";
import { drawHeader } from "./header.js";
import { t } from "./i18n.js";
import { forgetJobs } from "./jobs.js";
import { watchNotices } from "./parts/notices.js";
import { place } from "./router.js";
import { onTokenChange, tokenState } from "./session.js";
import { compareView } from "./views/compare.js";
import { jobView } from "./views/job.js";
import { listView } from "./views/list.js";
import { loginView } from "./views/login.js";
import { newView } from "./views/new.js";

const VIEWS = { list: listView, job: jobView, compare: compareView, new: newView };
const main = document.getElementById("main");
const drawNotices = watchNotices();
let shown = null;
let loggedIn = null;

/** A view is {title, element, follow(place)?, close()?}; follow: the same view takes the new place by itself. */
function show({ anew = false } = {}) {
  const where = place();
  const make = tokenState() === "none" ? loginView : (VIEWS[where.view] ?? listView);
  if (!anew && shown?.make === make && shown.view.follow?.(where)) return;
  const isFirst = shown === null;
  shown?.view.close?.();
  const view = make(where);
  shown = { make, view };
  fill(main, view.element);
  document.title = `${view.title} · ${t("title")}`;
  drawHeader(where);
  const first = main.querySelector("[data-first]"); // autofocus is for what a page has from the beginning
  if (isFirst) return void first?.focus();
  scrollTo(0, 0);
  (first ?? main.querySelector("h1") ?? main).focus({ preventScroll: true });
}

function drawAll() {
  setText(document.getElementById("skip"), t("skip"));
  drawNotices();
  show({ anew: true });
}

function follow() {
  const now = tokenState() !== "none";
  if (now === loggedIn) return;
  loggedIn = now;
  if (!now) forgetJobs();
  drawAll();
}

addEventListener("hashchange", () => show());
addEventListener("languagechange-by-hand", drawAll);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # is the view's
  main.focus();
});
onTokenChange(follow);
follow();
