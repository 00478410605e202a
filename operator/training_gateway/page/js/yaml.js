// A manifest as YAML that a person would have written, and where in a text a field stands.

const PLAIN = /^[A-Za-z_/.][\w./@%+-]*$/;
const MEANS_MORE = /^(?:true|false|yes|no|on|off|null|~|\.nan|[-+]?\.inf|y|n)$/i;

/** An object, as it came as JSON -> block style. */
export function toYaml(value, depth = 0) {
  if (Array.isArray(value)) return value.map((item) => listItem(item, depth)).join("");
  return Object.entries(value).map(([key, item]) => `${"  ".repeat(depth)}${scalar(key)}:${after(item, depth)}`).join("");
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
const isLeaf = (value) => isSimple(value) || !Object.keys(value).length || (Array.isArray(value) && value.every(isSimple));

function leaf(value) {
  if (Array.isArray(value)) return `[${value.map(scalar).join(", ")}]`;
  return isSimple(value) ? scalar(value) : "{}";
}

function scalar(value) {
  if (typeof value !== "string") return String(value);
  return PLAIN.test(value) && !MEANS_MORE.test(value) ? value : JSON.stringify(value);
}

/** The line (from 0) of a field such as spec.training.model.type; of the nearest one above it that is there. */
export function lineOf(text, path) {
  const keys = path.replace(/\[(\d+)\]/g, ".$1").split(".").filter(Boolean);
  const lines = text.split("\n");
  let [found, indent, from] = [0, -1, 0];
  for (const key of keys) {
    const next = lines.findIndex((line, index) => index >= from && deeper(line, indent) && names(line, key));
    const end = lines.findIndex((line, index) => index > found && index >= from && line.trim() && !deeper(line, indent));
    if (next < 0 || (end >= 0 && next > end)) break;
    [found, indent, from] = [next, lines[next].search(/\S/), next + 1];
  }
  return found;
}

const deeper = (line, indent) => line.search(/\S/) > indent || /^\s*- /.test(line);
const names = (line, key) => new RegExp(`(?:^|[\\s{,-])["']?${key.replace(/[^\w]/g, "\\$&")}["']?\\s*:`).test(line);
