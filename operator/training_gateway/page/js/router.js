// The place in the page is in the address after #, so that it can be kept, sent and gone back to.

/** #/job/ID/logs?x=1 -> {view: "job", parts: ["ID", "logs"], query}. */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...parts] = path.split("/").map(safeDecode);
  return { view: view || "list", parts, query: new URLSearchParams(query) };
}

function safeDecode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function link(view, parts = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const tail = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${[view === "list" ? "" : view, ...parts.map(encodeURIComponent)].filter(Boolean).join("/")}${tail}`;
}

export const go = (...where) => {
  location.hash = link(...where);
};

/** The same place with other words behind it: no step back is made of that. */
export const replaceQuery = (view, parts, query) => history.replaceState(null, "", link(view, parts, query));
