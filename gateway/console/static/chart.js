// One chart as SVG: stacked columns or lines over time, with a legend that shows the values, and the same as a table.

import { el, svg } from "./dom.js";
import { clock } from "./times.js";
import { w } from "./words.js";

const WIDTH = 380;
const HEIGHT = 160;
const LEFT = 34;
const RIGHT = 6;
const TOP = 10;
const BOTTOM = 22;

const number = (value) => (value === null ? w.none : value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(value < 1 ? 2 : 3))));

/** A round number at or above `most`, whose parts are round too. */
function ceiling(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 8, 10].map((step) => step * power).find((step) => step >= most * 0.9999);
}

/**
 * A figure: `kind` is "columns" or "lines"; `times` are the bins' beginnings (ms), `size` their length (min); `series` have a
 * `name`, a `tone` (1-6), and `values`, null for none.
 */
export function chart({ title, kind, times, size, series, whole }) {
  const totals = times.map((_, at) => (kind === "columns" ? series.reduce((sum, one) => sum + (one.values[at] ?? 0), 0) : Math.max(0, ...series.map((one) => one.values[at] ?? 0))));
  const top = Math.max(whole ? 4 : 0, ceiling(Math.max(...totals)));
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * at) / times.length;
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  const empty = !series.some((one) => one.values.some((value) => value !== null && value > 0)) && kind !== "lines";
  const nothing = empty || !series.some((one) => one.values.some((value) => value !== null));
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(title, series, nothing) },
    grid(top, x, y, times), kind === "columns" ? columns(series, times, x, y) : series.map((one) => line(one, x, y)),
    nothing && svg("text", { x: (WIDTH + LEFT) / 2, y: HEIGHT / 2, class: "nothing", "text-anchor": "middle" }, w.noData));
  const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, x1: -9, x2: -9 });
  drawn.append(cursor);
  const { legend, when, showValues } = legendOf(series, times, size);
  drawn.addEventListener("pointermove", (event) => {
    const box = drawn.getBoundingClientRect();
    const at = Math.floor((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / ((WIDTH - LEFT - RIGHT) / times.length));
    const inside = at >= 0 && at < times.length;
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, inside ? (x(at) + x(at + 1)) / 2 : -9);
    showValues(inside ? at : null);
  });
  drawn.addEventListener("pointerleave", () => {
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, -9);
    showValues(null);
  });
  return el("figure", {}, el("figcaption", {}, el("h3", {}, title), when, legend), drawn, asTable(title, series, times));
}

function summary(title, series, nothing) {
  if (nothing) return w.pair(title, w.noData);
  return w.figure(title, series.map((one) => w.curve(one.name, number(latest(one)), number(Math.max(...one.values.map((value) => value ?? 0))))));
}

const latest = (one) => one.values.findLast((value) => value !== null) ?? null;

function grid(top, x, y, times) {
  const lines = [0, 0.5, 1].map((part) => [
    svg("line", { class: part ? "rule" : "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(top * part), y2: y(top * part) }),
    svg("text", { class: "tick", x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" }, number(top * part)),
  ]);
  const step = times.length / 4;
  const labels = [0, 1, 2, 3].map((part) => svg("text", { class: "tick", x: x(part * step), y: HEIGHT - 6, "text-anchor": part ? "middle" : "start" }, clock(times[Math.round(part * step)])));
  return [...lines.flat(), ...labels, svg("text", { class: "tick", x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, w.now)];
}

function columns(series, times, x, y) {
  const gap = Math.min(2, (x(1) - x(0)) * 0.2);
  return times.flatMap((_, at) => {
    let below = 0;
    return series.map((one) => {
      const value = one.values[at] ?? 0;
      if (!value) return null;
      const bar = svg("rect", { class: `fill${one.tone}`, x: x(at) + gap / 2, width: x(1) - x(0) - gap, y: y(below + value), height: y(below) - y(below + value) });
      below += value;
      return bar;
    });
  });
}

/** A line that is interrupted where there is no value; a value alone is a dot. */
function line(one, x, y) {
  const runs = [];
  one.values.forEach((value, at) => {
    if (value === null) return;
    const point = [(x(at) + x(at + 1)) / 2, y(value)];
    if (at && one.values[at - 1] !== null && runs.length) runs.at(-1).push(point);
    else runs.push([point]);
  });
  return runs.map((run) => (run.length > 1
    ? svg("polyline", { class: `line${one.tone}`, points: run.map((point) => point.map((part) => part.toFixed(1)).join(",")).join(" ") })
    : svg("circle", { class: `fill${one.tone}`, cx: run[0][0], cy: run[0][1], r: 2.5 })));
}

function legendOf(series, times, size) {
  const values = series.map(() => el("b"));
  const when = el("span", { class: "when" });
  const entries = series.map((one, at) => el("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `fill${one.tone}`, width: 10, height: 10, rx: 2 })), `${one.name} `, values[at]));
  const showValues = (at) => {
    series.forEach((one, place) => { values[place].textContent = number(at === null ? latest(one) : one.values[at]); });
    when.textContent = at === null ? w.perBin(size) : clock(times[at]);
  };
  showValues(null);
  return { legend: el("ul", { class: "legend" }, entries), when, showValues };
}

function asTable(title, series, times) {
  const details = el("details", {}, el("summary", {}, w.asTable));
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const heads = [w.time, ...series.map((one) => one.name)].map((name) => el("th", { scope: "col" }, name));
    const lines = times.map((time, at) => el("tr", {}, el("th", { scope: "row" }, clock(time)), series.map((one) => el("td", { class: "number" }, number(one.values[at] ?? null))))).reverse();
    details.append(el("div", { class: "scroll low", role: "group", tabindex: "0", "aria-label": title },
      el("table", {}, el("caption", { class: "unseen" }, title), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, lines))));
  });
  return details;
}
