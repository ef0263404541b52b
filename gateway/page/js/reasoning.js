/** What a model thought before its answer, folded; and the tools that it called. */

import { indented } from "./arguments.js";
import { visible } from "./bidi.js";
import { framed } from "./code.js";
import { make } from "./element.js";
import { say } from "./language.js";

export class Reasoning {
  #summary = make("summary");
  #text = make("p", { dir: "auto" });

  constructor() {
    this.element = make("details", { className: "reasoning", hidden: true }, this.#summary, this.#text);
  }

  /** Show an exchange's reasoning, if it has any. */
  show({ reasoning = "", thought = null, state, text }) {
    this.element.hidden = !reasoning;
    if (!reasoning) return;
    if (this.#text.textContent !== visible(reasoning)) this.#text.textContent = visible(reasoning);
    const title = state === "running" && !text ? say("thinking") : titled(thought);
    if (this.#summary.textContent !== title) this.#summary.textContent = title;
  }
}

function titled(thought) {
  return thought === null ? say("reasoning") : say("thoughtFor", Math.max(1, Math.round(thought / 1000)));
}

/** The calls of tools, each with its arguments; null for none. */
export function calls(called = []) {
  if (!called.length) return null;
  return make("div", { className: "calls" }, ...called.map(shown));
}

function shown({ name, arguments: text }) {
  const code = make("code", { className: "language-json", textContent: visible(indented(text)) });
  const box = make("div", {}, make("p", {}, say("called"), " ", make("code", { textContent: visible(name) })));
  const pre = make("pre", {}, code);
  box.append(pre);
  framed(pre);
  return box;
}
