/** Where questions are written. */

import { choice, choose } from "./choices.js";
import { $ } from "./element.js";
import { language, say } from "./language.js";

const IMAGE = /^\/image\s+/i;
const LATIN = /^[A-Za-z]/;
const TALLEST = 220;

export class Composer {
  #pictures = false;
  #submit;

  #models;

  /** `models` are those to choose from; `submit({kind, question})` asks; `stop()` stops. */
  constructor({ models, submit, stop }) {
    this.#models = models;
    this.#submit = submit;
    const question = $("question");
    question.addEventListener("input", () => (this.#fit(), this.note("")));
    question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      $("ask").requestSubmit();
    });
    $("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    $("stop").addEventListener("click", stop);
    $("pictures").addEventListener("click", () => this.pictures(!this.#pictures));
    for (const input of $("styles").querySelectorAll("input")) {
      input.checked = input.value === choice("style", "balanced");
      input.addEventListener("change", () => choose("style", input.value));
    }
  }

  /** The style that is chosen. */
  get style() {
    return $("styles").querySelector("input:checked").value;
  }

  /** The model of a server that is chosen; null for Bing. */
  get model() {
    return this.#models.chosen;
  }

  /** Show which choices there are: only Bing has styles, and pictures have neither. */
  choices() {
    $("styles").disabled = this.#pictures || this.model !== null;
    $("model").disabled = this.#pictures;
  }

  /** Whether pictures are asked for. */
  pictures(on) {
    this.#pictures = on;
    $("pictures").setAttribute("aria-pressed", String(on));
    this.choices();
    $("question").placeholder = say(on ? "hintPictures" : "hint");
    this.note("");
    $("question").focus();
  }

  /** Write again what depends on the language. */
  rewrite() {
    this.#models.write();
    $("question").placeholder = say(this.#pictures ? "hintPictures" : "hint");
    document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  }

  /** Whether an answer is on its way: then it can be stopped, and nothing else asked. */
  busy(on) {
    const focused = document.activeElement;
    $("stop").hidden = !on;
    $("send").hidden = on;
    if (on && focused === $("send")) $("question").focus();
    if (!on && (focused === $("stop") || focused === document.body)) $("question").focus();
    this.isBusy = on;
  }

  /** A word to whoever writes; "" for none. */
  note(text) {
    $("note").textContent = text;
  }

  focus() {
    $("question").focus();
  }

  #send() {
    const written = $("question").value.trim();
    const kind = this.#pictures || IMAGE.test(written) ? "image" : "chat";
    const question = kind === "image" ? written.replace(IMAGE, "") : written;
    if (!question || this.isBusy) return;
    if (kind === "image" && !LATIN.test(question)) return this.note(say("english"));
    $("question").value = "";
    this.#fit();
    this.note("");
    this.#submit({ kind, question });
  }

  #fit() {
    const { style, scrollHeight } = $("question");
    style.height = "auto";
    style.height = `${Math.min($("question").scrollHeight || scrollHeight, TALLEST)}px`;
  }
}
