/** The choice of a model: one of Bing's styles, or a model of a server, where the gateway lists any. */

import * as api from "./api.js";
import { visible } from "./bidi.js";
import { choice, choose } from "./choices.js";
import { $, make } from "./element.js";
import { say } from "./language.js";

const BING = /^bing-/;
const NAME = "model";

export class Models {
  #names = [];
  #changed;

  /** `changed()` is called when another model is chosen. */
  constructor(changed) {
    this.#changed = changed;
    $("model").addEventListener("change", () => {
      choose(NAME, $("model").value || null);
      changed();
    });
  }

  /** The model of a server that is chosen; null for Bing. */
  get chosen() {
    const name = choice(NAME);
    return this.#names.includes(name) ? name : null;
  }

  /** Look at what the gateway lists. */
  async load() {
    const response = await api.models().catch(() => null);
    // An error has no list; its body is read all the same, since a request counts as open until then.
    const list = await response?.json().catch(() => null);
    this.#names = (list?.data ?? []).map(({ id }) => id).filter((id) => !BING.test(id));
    this.write();
    this.#changed();
  }

  /** Write the list, in the page's present language. */
  write() {
    const bing = make("option", { value: "", textContent: say("bing") });
    $("model").replaceChildren(bing, ...this.#names.map((name) => make("option", { value: name, textContent: visible(name) })));
    $("model").value = this.chosen ?? "";
    $("model").hidden = !this.#names.length;
  }
}
