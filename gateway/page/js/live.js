/** Shows an answer that grows: only its last block is rendered again, and never more than a little in one frame. */

import { LONGEST, settled } from "./blocks.js";
import { coloured, framed, joined } from "./code.js";
import { make } from "./element.js";
import { everyFrame } from "./frame.js";
import { LOWEST, levelled } from "./headings.js";
import { say } from "./language.js";
import { blocks, newContext, rendered } from "./markdown.js";

export class Live {
  #text = "";
  #taken = 0;
  #tail = "";
  #joined = false;
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

  /** Show `text`; with `ended` it grows no more. */
  show(text, ended = false) {
    if (!text.startsWith(this.#text)) this.#restart();
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
    this.#context = newContext();
    this.element.replaceChildren(this.#open);
    this.#open.replaceChildren();
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
    const before = this.#open.previousElementSibling;
    const { nodes, level } = this.#render(this.#tail.slice(0, at));
    this.#level = level;
    this.#open.replaceChildren();
    const first = nodes.find((node) => node.nodeType === Node.ELEMENT_NODE);
    if (this.#joined && before?.matches("figure.code") && first?.matches("figure.code")) {
      joined(before, first);
      nodes.splice(0, nodes.indexOf(first) + 1);
      if (!parted) coloured(before);
    }
    this.#open.before(...nodes);
    const whole = nodes.filter((node) => node.nodeName === "FIGURE");
    (parted ? whole.slice(0, -1) : whole).forEach(coloured);
    this.#tail = prefix + this.#tail.slice(at);
    this.#joined = parted;
    this.#open.classList.toggle("joined", parted);
  }

  #render(text) {
    const fragment = rendered(text, this.#context);
    fragment.querySelectorAll("pre").forEach(framed);
    fragment.querySelectorAll("table").forEach(scrolled);
    const level = levelled(fragment, this.#level);
    return { nodes: [...fragment.childNodes], level };
  }
}

/** A wide table scrolls by itself. */
function scrolled(table) {
  const box = make("div", { className: "table", tabIndex: 0, role: "group", "aria-label": say("table") });
  table.replaceWith(box);
  box.append(table);
}
