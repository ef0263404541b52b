// Workers, gateways, and the answers that wait or run.

import { badge } from "./badge.js";
import { el, svg } from "./dom.js";
import { Table } from "./table.js";
import { now, span } from "./times.js";
import { w } from "./words.js";

const name = { head: () => w.name, first: true, value: (one) => one.name, draw: (text) => el("span", { class: "name" }, text) };
const state = { head: () => w.state, kind: "state", value: (one) => one.state, draw: badge };
const version = { head: () => w.version, value: (one) => one.version || w.unknown };
const heard = { head: () => w.heard, value: (one) => (one.silent ? w.silent(span(one.silent * 1000)) : w.now) };

function meter([used, slots]) {
  if (!slots) return w.none;
  const bar = svg("svg", { class: "meter", preserveAspectRatio: "none", viewBox: "0 0 60 8", "aria-hidden": "true" },
    svg("rect", { width: 60, height: 8, rx: 4, class: "meter-all" }), svg("rect", { width: (60 * Math.min(used, slots)) / slots, height: 8, rx: 4, class: "meter-used" }));
  return [w.slots(used, slots), bar];
}

export const workersTable = (place) => new Table(place, () => w.workers, () => w.noProcesses, [
  name, state, { head: () => w.load, value: (one) => [one.used, one.slots], draw: meter }, heard, version,
]);

export const gatewaysTable = (place) => new Table(place, () => w.gateways, () => w.noProcesses, [
  name, state, { head: () => w.streams, kind: "number", value: (one) => one.turns },
  { head: () => w.sockets, kind: "number", value: (one) => one.sockets }, heard, version,
]);

/** The table; `stop(id)` is called for its buttons. */
export const answersTable = (place, stop) => new Table(place, () => w.answers, () => w.noAnswers, [
  { head: () => w.id, first: true, value: (one) => one.id, draw: (id) => el("code", { title: id }, short(id)) },
  state,
  { head: () => w.since, kind: "number", value: (one) => span(Math.max(0, now() - one.accepted)) },
  { head: () => w.kind, value: (one) => (one.kind ? w[one.kind] : w.none) },
  { head: () => w.seq, kind: "number", value: (one) => one.seq },
  { head: () => w.worker, value: (one) => one.worker || w.none },
  { head: () => w.actions, value: (one) => one.id, draw: (id) => el("div", { class: "orders" }, el("button", {
    type: "button", "data-order": "stop", onclick: () => stop(id), "aria-label": w.pair(w.stop, short(id)) }, w.stop)) },
]);

/** An answer's digest, or the beginning of a whole id from a gateway of the version before. */
export const short = (id) => id.slice(0, 12);
