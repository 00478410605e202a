// A manifest as YAML that a person would have written, and where in a text a field stands.

const PLAIN = /^[A-Za-z_/][\w./@%+-]*$/;
const MEANS_MORE = /^(?:true|false|yes|no|on|off|null|~|\.nan|[-+]?\.inf|y|n)$/i;

/** An object, as it came as JSON -> block style. */
export function toYaml(value, depth = 0) {
  if (Array.isArray(value)) return value.map((item) => listItem(item, depth)).join("");
  return Object.entries(value)
    .map(([key, item]) => `${"  ".repeat(depth)}${scalar(key)}:${after(item, depth)}`)
    .join("");
}

function after(item, depth) {
  if (isLeaf(item)) return ` ${leaf(item)}\n`;
  return `\n${toYaml(item, depth + 1)}`;
}

function listItem(item, depth) {
  const lead = `${"  ".repeat(depth)}- `;
  if (isLeaf(item)) return `${lead}${leaf(item)}\n`;
  const block = toYaml(item, depth + 1);
  return lead + block.slice(lead.length);
}

const isSimple = (value) => value === null || typeof value !== "object";
const isLeaf = (value) =>
  isSimple(value) || !Object.keys(value).length || (Array.isArray(value) && value.every(isSimple));

function leaf(value) {
  if (Array.isArray(value)) return `[${value.map(scalar).join(", ")}]`;
  return isSimple(value) ? scalar(value) : "{}";
}

function scalar(value) {
  if (typeof value !== "string") return String(value).replace(/^(-?\d+)e/, "$1.0e"); // YAML 1.1 takes 1e-9 for a word
  return PLAIN.test(value) && !MEANS_MORE.test(value) ? value : JSON.stringify(value);
}

/** The line (from 0) of a field such as spec.training.model.type; of the nearest one above it that is there. */
export function lineOf(text, path) {
  const keys = path
    .replace(/\[(\d+)\]/g, ".$1")
    .split(".")
    .filter(Boolean);
  const lines = text.split("\n").map((line) => line.replace(/(^|\s)#.*/, ""));
  let place = { line: 0, indent: -1, from: 0 };
  for (const key of keys) {
    const next = step(lines, place, key);
    if (!next) break;
    place = next;
  }
  return place.line;
}

/** Where a key, or an item of a list by its number, stands below a place. */
function step(lines, { line, indent, from }, key) {
  const ends = lines.findIndex(
    (one, index) =>
      index >= from && index > line && one.trim() && depth(one) <= indent && !(isItem(one) && depth(one) === indent),
  );
  const below = lines.slice(0, ends < 0 ? lines.length : ends);
  if (/^\d+$/.test(key)) {
    const first = below.findIndex((one, index) => index >= from && isItem(one));
    const items = below
      .map((one, index) =>
        first >= 0 && index >= first && isItem(one) && depth(one) === depth(below[first]) ? index : -1,
      )
      .filter((index) => index >= 0);
    const found = items[Number(key)];
    return found === undefined ? null : { line: found, indent: depth(lines[found]), from: found };
  }
  const named = below.map((_, index) => index).filter((index) => index >= from && names(below[index], key));
  const found = named.reduce((best, index) => (depth(below[index]) < depth(below[best]) ? index : best), named[0]);
  return found === undefined
    ? null
    : { line: found, indent: depth(lines[found].replace(/- (?=\S)/, "  ")), from: found === line ? found : found + 1 };
}

const depth = (line) => line.search(/\S/);
const isItem = (line) => /^\s*- /.test(line);
const names = (line, key) => new RegExp(`(?:^|[\\s{,-])["']?${key.replace(/[^\w]/g, "\\$&")}["']?\\s*:`).test(line);
