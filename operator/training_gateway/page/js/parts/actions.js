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

/** Asks first, also what is to become of what is saved. True: it is deleted. */
export async function removeAsked(job) {
  const volume = job.manifest?.spec?.checkpoint?.volume ?? {};
  const claim = job.status?.volumeClaim ?? volume.claimName ?? `${job.object_name}-checkpoints`;
  const retained = volume.claimTemplate?.retain ?? true;
  const drop = volume.claimTemplate && h("input", { type: "checkbox", id: "drop", checked: !retained });
  const text = [
    h("p", {}, t("delete.text")),
    drop && h("label", { class: "check strong" }, drop, t("delete.drop", { claim })),
    drop && h("p", { class: "soft" }, t("delete.kept")),
    volume.claimName && h("p", {}, t("delete.own", { claim })),
    volume.emptyDir && h("p", {}, t("delete.ephemeral")),
    !isOver(job.state) && !job.suspended && h("p", { class: "note wait" }, icon("warn"), t("delete.running")),
  ];
  if (!(await confirm({ title: t("delete.title", { name: job.name }), text, go: t("delete.go") }))) return false;
  const keeps = drop ? !drop.checked : null;
  try {
    await remove(job.task_id, keeps === retained ? null : keeps); // as the manifest says needs no right on claims
    toast(t(keeps ? "action.deleted.kept" : "action.deleted", { name: job.name, claim }));
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
