// What happened, newest first.

import { short } from "./processes.js";
import { el } from "./dom.js";
import { Table } from "./table.js";
import { clock, moment } from "./times.js";
import { reason, w } from "./words.js";

const MOST = 200;
const PICTURES = "/images";
const word = (code) => w[code] ?? code;

/** An account's name, and whether its pictures are meant. */
const said = (event) => (event.name?.endsWith(PICTURES) ? { ...event, name: w.ofPictures(event.name.slice(0, -PICTURES.length)) } : event);

function sentence(event) {
  switch (event.kind) {
    case "account": return w.eAccount(event, word);
    case "cookie": return w.eCookie(event);
    case "order": return w.eOrder(event, word);
    case "export": return w.eExport(event);
    case "added": return w.eAdded(event);
    case "refused": return w.eRefused(event);
    case "stop": return w.eStop({ name: short(event.name) });
    case "gateway":
    case "worker": return `${event.kind === "worker" ? w.oneWorker : w.oneGateway} ${event.name} ${w.eProcess[event.state] ?? event.state}`;
    default: return `${event.kind} ${event.name ?? ""}`;
  }
}

function more(event) {
  const parts = [];
  if (event.kind === "account" && event.reason && event.state !== "ready") parts.push(reason(event.reason));
  if (["account", "order"].includes(event.kind) && event.state === "cooling" && Number(event.until)) parts.push(w.until(clock(Number(event.until))));
  if ("by" in event) parts.push(w.by(event.by));
  return parts.join(" · ");
}

/** How grave an event is: it colours the line's edge. */
function weight(event) {
  if (["dead", "quarantined"].includes(event.state) || event.kind === "refused") return "bad";
  if (["cooling", "draining", "paused"].includes(event.state)) return "warn";
  return "order" === event.kind || "by" in event ? "order" : "calm";
}

export class Events {
  #table;
  #all = [];

  constructor(place) {
    this.#table = new Table(place, () => w.events, () => w.noEvents, [
      { head: () => w.when, first: true, value: (one) => clock(at(one)), draw: (text, one) => el("time", { datetime: new Date(at(one)).toISOString(), title: moment(at(one)) }, text) },
      { head: () => w.what, kind: "what", value: (one) => [weight(one), sentence(said(one)), more(one)], draw: ([grave, text, rest]) => el("div", { class: `event ${grave}` }, text, rest && el("span", { class: "sub" }, rest)) },
    ]);
  }

  /** Return the new events, oldest first. A new stream repeats events that are known already. */
  add(events) {
    const known = new Set(this.#all.map((one) => one.id));
    this.#all = [...events.filter((one) => !known.has(one.id)).reverse(), ...this.#all].slice(0, MOST);
    this.draw();
  }

  clear() {
    this.#all = [];
  }

  draw() {
    this.#table.update(this.#all, (one) => one.id);
  }

  relabel() {
    this.#table.relabel();
    this.draw();
  }
}

const at = (event) => Number(event.id.split("-")[0]);
