/** Shows an answer that grows: only its last block is rendered again, and never more than a little in one frame. */

import { LONGEST, settled } from "./blocks.js";
import { coloured, framed, joined } from "./code.js";
import { make } from "./element.js";
import { everyFrame } from "./frame.js";
import { LOWEST, levelled } from "./headings.js";
import { label } from "./language.js";
import { blocks, newContext, rendered } from "./markdown.js";

/** How much settled text makes a chunk: what is out of sight is passed over chunk by chunk. In characters. */
const CHUNK = 5_000;

export class Live {
  #text = "";
  #taken = 0;
  #tail = "";
  #joined = false;
  #chunk = null;
  #room = 0;
  #waiting = false;
  #level = LOWEST;
  #context = newContext();
  #ended = false;
  #open = make("div", { className: "open" });
  #step;

  constructor() {
    this.element = make("div", { className: "text", dir: "auto" }, this.#open);
    this.#step = everyFrame(() => {
      if (this.#advance()) this.#step();
    });
  }

  /** Hold `text` as it is written, until it is shown. */
  wait(text) {
    this.#waiting = true;
    this.element.replaceChildren(make("p", { className: "raw", textContent: text }));
  }

  /** Show `text`; with `ended` it grows no more. */
  show(text, ended = false) {
    if (this.#waiting || !text.startsWith(this.#text)) this.#restart();
    const same = text.length === this.#text.length && ended === this.#ended;
    this.#text = text;
    this.#ended = ended;
    this.element.classList.toggle("growing", !ended);
    if (!same) this.#step();
  }

  #restart() {
    this.#taken = 0;
    this.#tail = "";
    this.#joined = false;
    this.#chunk = null;
    this.#waiting = false;
    this.#level = LOWEST;
    this.#context = newContext();
    this.element.replaceChildren(this.#open);
    this.#open.replaceChildren();
    this.#open.classList.remove("joined");
  }

  /** Render a little more; whether there is still more. */
  #advance() {
    const next = Math.min(this.#text.length, this.#taken + LONGEST);
    this.#tail += this.#text.slice(this.#taken, next);
    this.#taken = next;
    let part;
    while ((part = settled(this.#tail, (text) => blocks(text, this.#context)))) this.#settle(part);
    const last = this.#ended && next === this.#text.length;
    if (last) this.#settle({ at: this.#tail.length, prefix: "", joined: false });
    else this.#open.replaceChildren(...this.#render(this.#tail).nodes);
    return next < this.#text.length;
  }

  /** Put what won't change any more before what is open. */
  #settle({ at, prefix, joined: parted }) {
    const before = this.#chunk?.lastElementChild;
    const { nodes, level } = this.#render(this.#tail.slice(0, at));
    this.#level = level;
    this.#open.replaceChildren();
    if (this.#joined && before?.matches("figure.code") && nodes[0]?.matches("figure.code")) {
      joined(before, nodes.shift());
      if (!parted) coloured(before);
    }
    if (nodes.length) this.#into(at).append(...nodes);
    const whole = nodes.filter((node) => node.nodeName === "FIGURE");
    (parted ? whole.slice(0, -1) : whole).forEach(coloured);
    this.#tail = prefix + this.#tail.slice(at);
    this.#joined = parted;
    this.#open.classList.toggle("joined", parted);
  }

  /** The chunk that takes text of this length. */
  #into(length) {
    if (!this.#chunk || this.#room < 0) {
      this.#chunk = make("div", { className: "chunk" });
      this.#room = CHUNK;
      this.#open.before(this.#chunk);
    }
    this.#room -= length;
    return this.#chunk;
  }

  #render(text) {
    const fragment = rendered(text, this.#context);
    fragment.querySelectorAll("pre").forEach(framed);
    fragment.querySelectorAll("table").forEach(scrolled);
    const level = levelled(fragment, this.#level);
    return { nodes: [...fragment.children], level };
  }
}

/** A wide table scrolls by itself. */
function scrolled(table) {
  const box = make("div", { className: "table", tabIndex: 0, role: "group" });
  label(box, "table");
  table.replaceWith(box);
  box.append(table);
}
