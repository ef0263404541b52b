/** What is open, what is asked, and what becomes of it. */

import { Announcer } from "./announcer.js";
import { askKey } from "./dialogs.js";
import { newExchange, unanswered, unique } from "./exchange.js";
import { apiKey, keepKey } from "./key.js";
import { Run } from "./run.js";
import { status } from "./status.js";

const SAVE_EVERY = 1000;
const TITLE = 60;

export class Chat {
  conversations = [];
  current = null;
  exchanges = [];
  #store;
  #runs = new Map();
  #log;
  #changed;
  #asking = null;

  #keyed;

  /**
   * `log` shows the exchanges; `changed()` hears when anything else is to be shown anew, `keyed()` of another API key.
   */
  constructor(store, changed, keyed) {
    this.#store = store;
    this.#changed = changed;
    this.#keyed = keyed;
    store.onChange((change) => this.#hear(change));
    addEventListener("pagehide", () => this.#runs.forEach(({ exchange }) => this.#save(exchange)));
  }

  set log(log) {
    this.#log = log;
  }

  /** Take up what is stored: answers that have no end are followed, and the conversation with this id is open. */
  async start(id) {
    this.conversations = await this.#store.conversations();
    await this.open(this.conversations.some((one) => one.id === id) ? id : null);
    for (const exchange of await this.#store.running()) {
      this.#follow(this.exchanges.find((one) => one.id === exchange.id) ?? exchange);
    }
  }

  /** The state that a run reports, null without one. */
  live(id) {
    return this.#runs.get(id)?.live ?? null;
  }

  /** The ids of the conversations with an answer under way. */
  get running() {
    return new Set([...this.#runs.values()].map(({ exchange }) => exchange.conversation));
  }

  /** The exchange of the open conversation that is under way. */
  get underWay() {
    return this.exchanges.find(({ state }) => state === "running");
  }

  /** Open a conversation; null is a new one, which exists once something is asked. */
  async open(id) {
    this.current = this.conversations.find((one) => one.id === id) ?? null;
    const stored = this.current ? await this.#store.exchanges(id) : [];
    // What runs here is ahead of what is stored.
    this.exchanges = stored.map((exchange) => this.#runs.get(exchange.id)?.exchange ?? exchange);
    this.#log.show(this.exchanges);
    this.#changed();
  }

  /** Ask in the open conversation. */
  async ask({ kind, question, style, model = null }) {
    if (this.underWay) return;
    this.current ??= this.#begun(question);
    Object.assign(this.current, { style, model });
    const exchange = newExchange(this.current, kind, question);
    this.exchanges.push(exchange);
    this.#log.update(exchange, true);
    this.#follow(exchange);
    await this.#save(exchange);
    await this.#touch(this.current);
    await this.#store.bound(this.current.id);
  }

  /** Ask an exchange's question again: in its place if it failed, else as a new one. */
  again(exchange) {
    if (this.underWay) return;
    if (exchange.state !== "failed") {
      this.ask(exchange);
      return;
    }
    Object.assign(exchange, unanswered(), { token: this.current.token });
    this.#follow(exchange);
    this.#save(exchange);
  }

  /** Stop the answer that is under way in the open conversation. */
  stop() {
    return this.#runs.get(this.underWay?.id)?.stop();
  }

  async rename(conversation, title) {
    conversation.title = title;
    await this.#store.put("conversations", conversation);
    this.#changed();
  }

  async remove(conversation) {
    for (const run of this.#runs.values()) if (run.exchange.conversation === conversation.id) run.leave();
    await this.#store.remove(conversation.id);
    await this.#forget(conversation.id);
  }

  async #forget(id) {
    this.conversations = this.conversations.filter((one) => one.id !== id);
    if (this.current?.id === id) await this.open(null);
    this.#changed();
  }

  #begun(question) {
    const title = question.replace(/\s+/g, " ").slice(0, TITLE);
    const conversation = {
      id: unique(),
      title,
      created: Date.now(),
      updated: Date.now(),
      token: null,
      style: "balanced",
    };
    this.conversations.unshift(conversation);
    return conversation;
  }

  /** Follow an exchange's answer to its end. */
  async #follow(exchange) {
    if (this.#runs.has(exchange.id)) return;
    const announcer = new Announcer();
    let known = exchange.answer;
    let saved = Date.now();
    const show = () => {
      this.#log.update(exchange);
      if (this.exchanges.includes(exchange)) announcer.grown(exchange.text, status(exchange, this.live(exchange.id)));
      if (exchange.answer !== known || Date.now() - saved > SAVE_EVERY) {
        known = exchange.answer;
        saved = Date.now();
        this.#save(exchange);
      }
    };
    const run = new Run(exchange, { show, needKey: () => this.#needKey() });
    this.#runs.set(exchange.id, run);
    this.#changed();
    show();
    try {
      await run.follow();
    } finally {
      this.#runs.delete(exchange.id);
    }
    await this.#ended(exchange, announcer);
  }

  async #ended(exchange, announcer) {
    const conversation = this.conversations.find((one) => one.id === exchange.conversation);
    if (exchange.state === "running" || !conversation) return;
    if (exchange.kind === "chat" && exchange.given) conversation.token = exchange.given;
    this.#log.update(exchange);
    this.#changed();
    if (this.exchanges.includes(exchange) && exchange.text) announcer.ended(exchange.text);
    await this.#save(exchange);
    await this.#touch(conversation);
  }

  /** Ask for an API key, once for all who need one; whether there is one now. */
  #needKey() {
    // Two at once would be one too many.
    this.#asking ??= askKey(apiKey() !== null).then((given) => {
      this.#asking = null;
      if (given) keepKey(given.key, given.remember);
      if (given) this.#keyed();
      return given !== null;
    });
    return this.#asking;
  }

  async #touch(conversation) {
    conversation.updated = Date.now();
    this.conversations.sort((one, other) => other.updated - one.updated);
    await this.#store.put("conversations", conversation);
    this.#changed();
  }

  /** Save an exchange, unless its conversation was removed. */
  async #save(exchange) {
    if (this.conversations.some((one) => one.id === exchange.conversation))
      await this.#store.put("exchanges", exchange);
  }

  /** Another tab has changed something. */
  async #hear({ store, value, removed }) {
    if (removed) return this.#forget(removed);
    if (store === "exchanges") return this.#hearExchange(value);
    const known = this.conversations.find((one) => one.id === value.id);
    if (known) Object.assign(known, value);
    else this.conversations.push(value);
    this.conversations.sort((one, other) => other.updated - one.updated);
    return this.#changed();
  }

  #hearExchange(value) {
    if (this.#runs.has(value.id) && value.key === this.#runs.get(value.id).exchange.key) return;
    const known = this.exchanges.find((one) => one.id === value.id);
    const exchange = known ? Object.assign(known, value) : value;
    if (this.current?.id === value.conversation) {
      if (!known) this.exchanges.push(exchange);
      this.#log.update(exchange, !known);
    }
    // Before its answer is known, whoever asked sees to it.
    if (exchange.state === "running" && exchange.answer) this.#follow(exchange);
    this.#changed();
  }
}
