/** The exchanges of the open conversation, as they are seen. Those far away are rendered when they come near. */

import { $, make } from "./element.js";
import { say } from "./language.js";
import { View } from "./view.js";

/** How many of the last ones are rendered at once. */
const AT_ONCE = 6;

export class Log {
  #views = new Map();
  #hooks;
  #near;

  /** `ask` and `again` as a View has them; `live(id)` is the state that a run reports. */
  constructor(hooks) {
    this.#hooks = hooks;
    this.#near = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => this.#come(entry)),
      {
        root: $("scroll"),
        rootMargin: "1500px 0px",
      },
    );
  }

  /** Show these exchanges, and nothing else. */
  show(exchanges) {
    this.#near.disconnect();
    this.#views.clear();
    const views = exchanges.map((exchange) => this.#new(exchange));
    $("log").replaceChildren(...(views.length ? views.map((view) => view.element) : [this.#welcome()]));
    views.slice(0, -AT_ONCE).forEach((view) => this.#later(view));
    views.slice(-AT_ONCE).forEach((view) => this.update(view.exchange));
  }

  /** Show what an exchange has become, a new one behind the others; nothing if it isn't of this conversation. */
  update(exchange, isNew = false) {
    if (isNew && !this.#views.has(exchange.id)) this.#append(exchange);
    const view = this.#views.get(exchange.id);
    view?.show(exchange, this.#hooks.live(exchange.id), this.#isLast(exchange.id));
  }

  /** Write it all in the page's present language. */
  rewrite() {
    if (!this.#views.size) $("log").replaceChildren(this.#welcome());
    for (const [id, view] of this.#views) view.rewrite(this.#hooks.live(id), this.#isLast(id));
  }

  #append(exchange) {
    const before = [...this.#views.values()].at(-1);
    if (!before) $("log").replaceChildren();
    $("log").append(this.#new(exchange).element);
    // Its suggestions are of no more use.
    if (before) this.update(before.exchange);
  }

  #new(exchange) {
    const view = new View(exchange, this.#hooks);
    this.#views.set(exchange.id, view);
    return view;
  }

  #later(view) {
    view.wait(view.exchange);
    this.#near.observe(view.element);
  }

  #come({ target }) {
    this.#near.unobserve(target);
    const view = this.#views.get(target.dataset.id);
    if (view) this.update(view.exchange);
  }

  #isLast(id) {
    return id === [...this.#views.keys()].at(-1);
  }

  #welcome() {
    const examples = say("examples").map((text) => {
      const button = make("button", { type: "button", textContent: text });
      button.addEventListener("click", () => this.#hooks.ask(text));
      return make("li", {}, button);
    });
    const heading = make("h2", { textContent: say("welcome") });
    return make(
      "section",
      { className: "welcome" },
      heading,
      make("p", { textContent: say("welcomeText") }),
      make("ul", { className: "chips" }, ...examples),
    );
  }
}
