/** One exchange as it is seen: the question, how its answer comes along, the answer, and what to do with it. */

import { visible } from "./bidi.js";
import { copyButton } from "./copy.js";
import { make } from "./element.js";
import { gallery } from "./gallery.js";
import { icon } from "./icons.js";
import { say } from "./language.js";
import { Live } from "./live.js";
import { Reasoning, calls } from "./reasoning.js";
import { sources } from "./sources.js";
import { status } from "./status.js";

export class View {
  #live;
  #reasoning = new Reasoning();
  #status = make("p", { className: "status" });
  #after = make("div", { className: "after" });
  #drawn = null;
  #shown = false;
  #hooks;
  #answer;

  /** `ask(question)` asks something else; `again(exchange)` asks this again. */
  constructor(exchange, { ask, again }) {
    this.exchange = exchange;
    this.#hooks = { ask, again };
    this.#live = new Live();
    this.#answer = make(
      "div",
      { className: "answer" },
      heading("answer"),
      this.#reasoning.element,
      this.#live.element,
      this.#status,
      this.#after,
    );
    this.element = make("article", { className: "exchange", "data-id": exchange.id }, ...this.#asked(), this.#answer);
  }

  /** Show what `exchange` has become; `live` is the state that a run reports, `last` whether nothing comes after it. */
  show(exchange, live, last) {
    this.exchange = exchange;
    this.#shown = true;
    const running = exchange.state === "running";
    this.element.classList.toggle("running", running);
    this.#live.element.hidden = !exchange.text;
    if (exchange.text) this.#live.show(exchange.text, !running);
    this.#reasoning.show(exchange);
    this.#showStatus(status(exchange, live));
    const drawn = JSON.stringify([
      exchange.state,
      exchange.urls,
      exchange.images,
      exchange.suggestions,
      exchange.reset,
      exchange.calls,
      exchange.by,
      last,
    ]);
    if (drawn !== this.#drawn) this.#finish(exchange, last);
    this.#drawn = drawn;
  }

  /** Show it when it comes near; until then its text is shown as it is, so that it can be searched for. */
  wait(exchange) {
    if (this.#shown) return;
    this.exchange = exchange;
    this.#live.wait(exchange.text);
  }

  /** Put it into the page's present language. */
  rewrite(live, last) {
    this.#drawn = null;
    delete this.#status.dataset.key;
    this.#answer.querySelector("h2").textContent = say("answer");
    this.element.querySelector(".asked h2").textContent = say("you");
    if (this.#shown) this.show(this.exchange, live, last);
  }

  #asked() {
    const { question, kind, afresh } = this.exchange;
    const text = make("p", { dir: "auto", textContent: visible(question) });
    const asked = make(
      "div",
      { className: "asked" },
      heading("you"),
      kind === "image" ? make("span", {}, icon("picture")) : null,
      text,
    );
    return afresh ? [divider(), asked] : [asked];
  }

  #showStatus(status) {
    this.#status.hidden = status === null;
    const key = JSON.stringify(status);
    if (status === null || this.#status.dataset.key === key) return;
    this.#status.dataset.key = key;
    const [picture, word, ...parts] = status;
    const text = make("bdi", { textContent: visible(say(word, ...parts)) });
    this.#status.replaceChildren(
      picture ? icon(picture) : make("span", { className: "dots", "aria-hidden": "true" }),
      text,
    );
    this.#status.className = `status ${picture ?? ""}`;
  }

  #finish(exchange, last) {
    const { state, question, urls, images, suggestions, reset } = exchange;
    if (state === "running") return this.#after.replaceChildren();
    const parts = [calls(exchange.calls), gallery(question, images), sources(urls), this.#actions(exchange)];
    if (last) parts.push(this.#chips(suggestions));
    if (reset) parts.push(divider());
    return this.#after.replaceChildren(...parts.filter((part) => part !== null));
  }

  #actions(exchange) {
    const again = make("button", { type: "button", className: "plain small again" }, icon("again"), say("again"));
    again.addEventListener("click", () => this.#hooks.again(this.exchange));
    const copy = exchange.text ? copyButton("copyAnswer", () => this.exchange.text) : null;
    const name = exchange.by ?? exchange.model ?? null;
    const by = name && make("span", { className: "by", title: say("answeredBy"), textContent: visible(name) });
    return make("div", { className: "actions" }, copy, again, by);
  }

  #chips(suggestions) {
    if (!suggestions.length) return null;
    const chips = suggestions.map((text) => {
      const button = make("button", { type: "button" }, make("bdi", { textContent: visible(text) }));
      button.addEventListener("click", () => this.#hooks.ask(text));
      return make("li", {}, button);
    });
    return make("ul", { className: "chips", "aria-label": say("suggestions") }, ...chips);
  }
}

function heading(word) {
  return make("h2", { className: "unseen", textContent: say(word) });
}

/** Where one topic ends. */
function divider() {
  const text = make("span", {}, make("strong", { textContent: say("reset") }), ` ${say("resetText")}`);
  return make("p", { className: "divider" }, text);
}
