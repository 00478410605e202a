// Which jobs are ticked for a comparison; goes with the tab.

const KEY = "trainingjob.picked";
export const MOST = 8; // as many curves as there are colours

const read = () => JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
const changed = new EventTarget();

export const picked = () => read();
export const isPicked = (id) => read().includes(id);

/** False: there is no room for another one. */
export function pick(id, wanted) {
  const others = read().filter((other) => other !== id);
  if (wanted && others.length >= MOST) return false;
  write(wanted ? [...others, id] : others);
  return true;
}

export function write(ids) {
  sessionStorage.setItem(KEY, JSON.stringify(ids));
  changed.dispatchEvent(new Event("change"));
}

export function onPickedChange(listener) {
  changed.addEventListener("change", listener);
  return () => changed.removeEventListener("change", listener);
}
