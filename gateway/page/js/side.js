/** The list of conversations; a drawer where the page is narrow. */

import { visible } from "./bidi.js";
import { $, make } from "./element.js";
import { icon } from "./icons.js";
import { language, say } from "./language.js";

const NARROW = matchMedia("(max-width: 820px)");

export class Side {
  #hooks;
  #seen = null;

  /** `open(id)`, `rename(conversation)` and `remove(conversation)` act on one conversation. */
  constructor(hooks) {
    this.#hooks = hooks;
    $("open-side").addEventListener("click", () => this.#drawer(true));
    $("close-side").addEventListener("click", () => this.close());
    $("shade").addEventListener("click", () => this.close());
    $("side").addEventListener("keydown", (event) => event.key === "Escape" && this.isOpen && this.close());
    NARROW.addEventListener("change", () => this.#drawer(false));
    this.#drawer(false);
  }

  get isOpen() {
    return document.body.classList.contains("side-open");
  }

  /** Close the drawer, if it is one. */
  close() {
    if (!this.isOpen) return;
    this.#drawer(false);
    $("open-side").focus();
  }

  /** Show these conversations, of which `current` is open; `running` are those with an answer under way. */
  show(conversations, current, running) {
    const seen = [language(), current, ...conversations.flatMap(({ id, title }) => [id, title, running.has(id)])].join(
      "\n",
    );
    // What is under somebody's pointer isn't replaced without need.
    if (seen === this.#seen) return;
    this.#seen = seen;
    const items = conversations.map((conversation) => this.#item(conversation, current, running));
    const focused = document.activeElement?.closest?.("#conversations li")?.dataset.id;
    const what = document.activeElement?.className;
    $("conversations").replaceChildren(
      ...(items.length ? items : [make("li", { className: "none", textContent: say("none") })]),
    );
    if (focused)
      $("conversations")
        .querySelector(`[data-id="${focused}"] button.${what?.split(" ")[0]}`)
        ?.focus();
  }

  #item(conversation, current, running) {
    const title = visible(conversation.title || say("untitled"));
    const open = make("button", { type: "button", className: "open-it", title }, make("bdi", { textContent: title }));
    if (conversation.id === current) open.setAttribute("aria-current", "true");
    if (running.has(conversation.id))
      open.append(make("span", { className: "pulse", role: "img", "aria-label": say("writing") }));
    open.addEventListener("click", () => {
      this.close();
      this.#hooks.open(conversation.id);
    });
    const rename = this.#tool("rename", title, conversation);
    const remove = this.#tool("remove", title, conversation);
    return make("li", { "data-id": conversation.id }, open, rename, remove);
  }

  #tool(word, title, conversation) {
    const label = say(word, title);
    const button = make(
      "button",
      { type: "button", className: `${word}-it plain small`, title: label, "aria-label": label },
      icon(word),
    );
    button.addEventListener("click", () => this.#hooks[word](conversation));
    return button;
  }

  #drawer(open) {
    document.body.classList.toggle("side-open", open);
    $("open-side").setAttribute("aria-expanded", String(open));
    $("shade").hidden = !open;
    // Out of sight is out of reach, too.
    $("side").inert = NARROW.matches && !open;
    document.querySelector("main").inert = open;
    if (open) $("close-side").focus();
  }
}
