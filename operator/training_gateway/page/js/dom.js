// Elements made one by one, never from markup: whatever comes from the cluster becomes text.

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "x", onclick: f, "aria-label": "…"}, "text", child, null, [more]) -> element. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) setProperty(element, name, value);
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

function setProperty(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") element[name] = value;
  else if (name === "dataset") Object.assign(element.dataset, value);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Sets the text if it differs: nothing is drawn, and nothing read aloud, that has not changed. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replaces the children; null and false are left out. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const ICONS = {
  arrow: "M15 5l-7 7 7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 7v5l3 2M12 3a9 9 0 100 18 9 9 0 000-18z",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v10H9zM5 15V5h10",
  download: "M12 4v11m0 0l-4-4m4 4l4-4M5 20h14",
  dots: "M5 12h.01M12 12h.01M19 12h.01",
  fail: "M12 8v5m0 3h.01M12 3a9 9 0 100 18 9 9 0 000-18z",
  language:
    "M4 12h16M12 3c2.5 2.5 3.8 5.6 3.8 9s-1.3 6.5-3.8 9c-2.5-2.5-3.8-5.6-3.8-9S9.5 5.5 12 3zM12 3a9 9 0 100 18 9 9 0 000-18z",
  leave: "M14 4h5v16h-5M4 12h11m0 0l-4-4m4 4l-4 4",
  moon: "M20 14.5A8 8 0 119.5 4 6.5 6.5 0 0020 14.5z",
  pause: "M9 5v14M15 5v14",
  play: "M7 5l12 7-12 7z",
  plus: "M12 5v14M5 12h14",
  queue: "M5 7h14M5 12h14M5 17h8",
  screen: "M4 5h16v11H4zM9 20h6",
  search: "M11 4a7 7 0 100 14 7 7 0 000-14zM16 16l4.5 4.5",
  spin: "M12 3a9 9 0 109 9",
  star: "M12 4l2.5 5.2 5.7.7-4.2 4 1.1 5.6L12 16.8l-5.1 2.7L8 13.9l-4.2-4 5.7-.7z",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  warn: "M12 9v5m0 3h.01M12 3.5L2.5 20h19z",
};

/** A drawing beside words; hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

let numbers = 0;

/** An id that no other element has, for labels. */
export const newId = (prefix) => `${prefix}-${(numbers += 1)}`;
