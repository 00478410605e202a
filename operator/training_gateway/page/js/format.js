// Numbers, times and sizes as people read them. What is not known is an en dash.

import { language, t } from "./i18n.js";

export const NOTHING = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Four significant digits; very small and very large ones with an exponent. */
export function number(value) {
  if (!isNumber(value)) return NOTHING;
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
  return new Intl.NumberFormat(language(), { maximumSignificantDigits: 4 }).format(value);
}

export const integer = (value) => (isNumber(value) ? new Intl.NumberFormat(language()).format(value) : NOTHING);

export function percent(value, digits = 1) {
  if (!isNumber(value)) return NOTHING;
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: digits }).format(value);
}

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
];

/** Seconds in its two largest units, such as 3h 12m. */
export function duration(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  let rest = Math.max(0, Math.round(seconds));
  const first = UNITS.findIndex(([, size]) => rest >= size);
  if (first < 0) return `0${t("unit.s")}`;
  const parts = UNITS.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count ? `${count}${t(`unit.${unit}`)}` : "";
  });
  return parts.filter(Boolean).join(" ");
}

/** How long ago, such as 5m. */
export function age(time, now = Date.now()) {
  return time ? duration(Math.max(0, (now - Date.parse(time)) / 1000)).split(" ")[0] : NOTHING;
}

/** Date and time of day where the reader is. */
export function moment(time) {
  if (!time) return NOTHING;
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" }).format(new Date(time));
}

/** As clocks in logs show it. */
export const timeOfDay = (time) => new Date(time).toTimeString().slice(0, 8);

export function bytes(count) {
  if (!isNumber(count)) return NOTHING;
  const unit = Math.min(4, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${number(count / 1024 ** unit)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}
