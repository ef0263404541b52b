// What comes back from a server, as it comes, and no more than a page can bear.
import { copyButton } from "/docs/copy.js";
import { element } from "/docs/element.js";

const LIMIT = 256 * 1024;

/** A block of text that grows up to its limit. */
export class Output {
  #text = element("code");
  #length = 0;

  constructor(name) {
    const block = element("pre", { tabindex: "0", role: "group", "aria-label": name }, this.#text);
    this.node = element("div", { class: "code output" }, block, copyButton(block));
    this.clear();
  }

  clear() {
    this.#text.replaceChildren();
    this.#length = 0;
    this.node.hidden = true;
  }

  /** Show more; false if not all of it has room. */
  append(text) {
    const part = text.slice(0, LIMIT - this.#length);
    this.#length += part.length;
    this.#text.append(part);
    this.node.hidden = this.#length === 0;
    return part.length === text.length;
  }

  /** Show this in place of what is there. */
  replace(text) {
    this.clear();
    return this.append(text);
  }

  get text() {
    return this.#text.textContent;
  }
}

/** Sentence for a text that was cut. */
export const CUT = `Only the first ${LIMIT / 1024} kB are shown.`;
