/** Announces the progress of an answer to a screen reader, without interrupting itself. */

import { $ } from "./element.js";
import { say } from "./language.js";
import { Speech } from "./speech.js";

/** As much as is left in the page: what was read out is of no more use. */
const LEFT = 4;
const EVERY = 1500;

export class Announcer {
  #speech = new Speech();
  #text = "";
  #timer = null;
  #word = null;

  /** The answer has grown to `text`; `status` is what it waits for, if it does. */
  grown(text, status) {
    const word = status?.[1] ?? null;
    if (word !== this.#word && word) announce(say(...status.slice(1)));
    this.#word = word;
    this.#text = text;
    this.#timer ??= setTimeout(() => this.#announceNext(), EVERY);
  }

  /** The answer has ended. */
  ended(text) {
    clearTimeout(this.#timer);
    const rest = this.#speech.next(text, true);
    announce(`${rest} ${say("finished")}`.trim());
  }

  #announceNext() {
    this.#timer = null;
    const portion = this.#speech.next(this.#text);
    if (portion) announce(portion);
  }
}

/** Have `text` read out when the reader has finished what it reads. */
export function announce(text) {
  const region = $("announcer");
  const line = document.createElement("p");
  line.textContent = text;
  region.append(line);
  while (region.children.length > LEFT) region.firstElementChild.remove();
}
