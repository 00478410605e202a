// Curves over epochs, drawn by plotly, which is fetched when the first is needed. Colours come from the style's tokens.

import { h, setText } from "../dom.js";
import { number } from "../format.js";
import { t } from "../i18n.js";
import { thin } from "../history.js";

const SOURCE = "static/plotly.min.js";
const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };
let loading = null;

/** Plotly, once. */
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", { src: SOURCE, onload: () => resolve(globalThis.Plotly) });
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      reject(new Error(SOURCE));
    });
    document.head.append(script);
  });
  return loading;
}

/** The value of a colour token as it is now, light or dark. */
export function colour(token) {
  const probe = h("span", { hidden: true });
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** One figure: draw({lines, log, floor, marks, gaps, star}) again and again; what is hidden or zoomed stays so. */
export function chart(title, { small = false } = {}) {
  const canvas = h("div", { class: small ? "canvas small" : "canvas" });
  const note = h("p", { class: "canvas-note soft", hidden: true });
  const element = h("div", { class: "figure", role: "img", "aria-label": title }, canvas, note);
  plotly().catch(() => {}); // while the first epoch is awaited; drawing asks again, and says what is wrong
  let latest = null;
  let busy = false;
  const draw = async (content) => {
    latest = content;
    say(element, note, title, content);
    if (busy || !content.lines.length) return;
    busy = true;
    try {
      const library = await plotly();
      while (latest) {
        const now = latest;
        latest = null;
        await library.react(canvas, traces(now), layout(now), CONFIG);
      }
    } catch (error) {
      setText(note, t("chart.failed", { message: error.message }));
      note.hidden = false;
    } finally {
      busy = false;
    }
  };
  return { element, draw, close: () => globalThis.Plotly?.purge(canvas) };
}

/** lines: [{name, column, rows, token, dash?}]. */
function traces({ lines, star }) {
  const curves = lines.map(({ name, column, rows, token, dash, key }) => {
    const kept = thin(rows, column);
    return {
      uid: key ?? column,
      name: escaped(name),
      x: kept.map(({ epoch }) => epoch),
      y: kept.map((row) => row[column] ?? null),
      type: "scatter",
      mode: kept.length === 1 ? "markers" : "lines",
      line: { color: colour(token), width: 2, dash: dash ?? "solid" },
      marker: { color: colour(token), size: 6 },
      hovertemplate: "%{y:.5~g}",
    };
  });
  if (!star) return curves;
  return [
    ...curves,
    {
      uid: "star",
      x: [star.epoch],
      y: [star.value],
      name: escaped(t("chart.best", star)),
      mode: "markers",
      type: "scatter",
      showlegend: false,
      marker: { symbol: "star", size: 13, color: colour("best"), line: { color: colour("surface"), width: 1.5 } },
      hovertemplate: "%{y:.5~g}",
    },
  ];
}

/** Plotly reads a few tags in names: none of them is meant. */
const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function layout({ log = false, floor = false, marks = [], gaps = [], lines }) {
  const [text, grid, surface] = [colour("text-2"), colour("grid"), colour("surface")];
  const axis = { gridcolor: grid, linecolor: grid, zeroline: false, tickcolor: grid, automargin: true };
  const most = Math.max(...lines.flatMap(({ rows }) => rows.map(({ epoch }) => epoch)));
  const largest = Math.max(...lines.flatMap(({ rows, column }) => rows.map((row) => Math.abs(row[column] ?? 0))));
  return {
    uirevision: "same",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    autosize: true,
    showlegend: true,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: text },
    margin: { l: 8, r: 12, t: 26, b: 8 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger scrolls the page
    hovermode: "x unified",
    hoverlabel: { bgcolor: surface, bordercolor: grid, font: { color: colour("text") } },
    xaxis: {
      ...axis,
      showgrid: false,
      title: { text: t("chart.epoch"), standoff: 6 },
      rangemode: most < 3 ? "tozero" : "normal",
      tickformat: ",d",
    },
    yaxis: {
      ...axis,
      type: log ? "log" : "linear",
      rangemode: floor ? "tozero" : "normal",
      tickformat: log ? ".1~g" : largest >= 1000 && largest < 1e6 ? ",.4~r" : ".3~g",
      fixedrange: true,
      dtick: log ? 1 : undefined,
    },
    shapes: [
      ...marks.map(({ epoch }) => ({
        type: "line",
        xref: "x",
        yref: "paper",
        x0: epoch - 0.5,
        x1: epoch - 0.5,
        y0: 0,
        y1: 1,
        layer: "below",
        line: { color: colour("line-strong"), width: 1, dash: "dot" },
      })),
      ...gaps.map(([first, last]) => ({
        type: "rect",
        xref: "x",
        yref: "paper",
        x0: first - 0.5,
        x1: last + 0.5,
        y0: 0,
        y1: 1,
        layer: "below",
        line: { width: 0 },
        fillcolor: colour("surface-3"),
      })),
    ],
    annotations: marks
      .filter(({ label }) => label)
      .map(({ epoch, label, left }) => ({
        xref: "x",
        yref: "paper",
        x: epoch - 0.5,
        y: 1,
        text: escaped(label),
        showarrow: false,
        xanchor: left ? "right" : "left",
        yanchor: "top",
        xshift: left ? -3 : 3,
        font: { size: 11, color: colour("text-3") },
      })),
  };
}

/** What a reader of the screen hears: the last value of every curve. */
function say(element, note, title, { lines, nothing }) {
  const words = lines.map(({ name, column, rows }) => {
    const last = rows.findLast((row) => typeof row[column] === "number");
    return last ? t("chart.summary.line", { name, value: number(last[column]), epoch: last.epoch }) : "";
  });
  element.setAttribute("aria-label", t("chart.summary", { title, lines: words.filter(Boolean).join("; ") || nothing }));
  element.classList.toggle("is-empty", !lines.length);
  note.hidden = Boolean(lines.length);
  if (!lines.length) setText(note, nothing);
}
