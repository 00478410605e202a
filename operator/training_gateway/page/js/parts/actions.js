// Pause, resume and delete: the same from the list and from the page of a job.

import { pause, remove, resume } from "../api.js";
import { h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { confirm } from "./dialog.js";
import { complain, toast } from "./notices.js";
import { isOver } from "./words.js";

/** What can be done to pause or resume a job now: pause, resume or null. */
export function nextStep({ state, suspended }) {
  if (isOver(state)) return null;
  return suspended ? "resume" : "pause";
}

const DO = { pause, resume };

export async function toggle(job, button) {
  const step = nextStep(job);
  if (!step) return;
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await DO[step](job.task_id);
    job.suspended = step === "pause";
    toast(t(`action.${step}d`, { name: job.name }));
  } catch (error) {
    complain(error);
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

/** Asks first. True: it is deleted. */
export async function removeAsked(job) {
  const text = [
    h("p", {}, t("delete.text")),
    !isOver(job.state) && h("p", { class: "note wait" }, icon("warn"), t("delete.running")),
  ];
  if (!(await confirm({ title: t("delete.title", { name: job.name }), text, go: t("delete.go") }))) return false;
  try {
    await remove(job.task_id);
    toast(t("action.deleted", { name: job.name }));
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
