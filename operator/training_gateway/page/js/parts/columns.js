// The columns of a csv file, read here, so that they can be picked before it is sent.

const ENOUGH = 64 * 1024;
const DELIMITERS = [",", ";", "\t"];

/** Names of the first line; none for parquet, or where the line is longer than anybody would pick from. */
export async function columnsOf(file) {
  if (!/\.csv$/i.test(file.name)) return [];
  const start = (await file.slice(0, ENOUGH).text()).replace(/^\ufeff/, "");
  const end = start.search(/\r?\n/);
  return end < 0 ? [] : cells(start.slice(0, end));
}

/** As the server does: of the three the one that is there most often. */
export function cells(line) {
  const count = (delimiter) => line.split(delimiter).length;
  const delimiter = DELIMITERS.reduce((best, other) => (count(other) > count(best) ? other : best));
  const found = line.matchAll(new RegExp(`("(?:[^"]|"")*"|[^${delimiter}]*)(?:${delimiter}|$)`, "g"));
  return [...found]
    .map(([, cell]) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell))
    .slice(0, line.endsWith(delimiter) ? undefined : -1);
}
