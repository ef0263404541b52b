/**
 * Conversations and what was asked in them, in the browser's own database; in memory where there is none.
 *
 * A conversation: `{id, title, created, updated, token, style}`. An exchange: a question and its answer (exchange.js).
 * Other tabs hear of each change.
 */

/** Beyond these the oldest go. */
export const MOST_CONVERSATIONS = 200;
export const MOST_EXCHANGES = 1000;

const STORES = ["conversations", "exchanges"];

export class Store {
  /** Whether what is stored outlives the page. */
  lasting = false;
  #database;
  #channel = new BroadcastChannel("chat");
  #memory = { conversations: new Map(), exchanges: new Map() };

  /** A store, ready for use. */
  static async open(name = "chat") {
    const store = new Store();
    store.#database = await database(name).catch(() => null);
    store.lasting = store.#database !== null;
    return store;
  }

  /** Call `act({store, value})` or `act({store, removed})` for each change of another tab. */
  onChange(act) {
    this.#channel.onmessage = ({ data }) => act(data);
  }

  /** All conversations, the latest first. */
  async conversations() {
    const found = await this.#all("conversations");
    return found.sort((one, other) => other.updated - one.updated);
  }

  /** A conversation's exchanges, in their order. */
  async exchanges(conversation) {
    const found = await this.#all("exchanges", conversation);
    return found.sort((one, other) => one.created - other.created);
  }

  /** The exchanges without an end. */
  async running() {
    return (await this.#all("exchanges")).filter(({ state }) => state === "running");
  }

  async put(store, value) {
    // A full disk must not end an answer: what can't be saved is lost with the page, which shows that.
    if (this.#database)
      this.lasting = await done(this.#change(store).put(value)).then(
        () => true,
        () => false,
      );
    else this.#memory[store].set(value.id, structuredClone(value));
    this.#channel.postMessage({ store, value });
  }

  /** Remove a conversation with all that was asked in it. */
  async remove(conversation) {
    for (const { id } of await this.exchanges(conversation)) await this.#remove("exchanges", id);
    await this.#remove("conversations", conversation);
    this.#channel.postMessage({ store: "conversations", removed: conversation });
  }

  /** Remove what is beyond the bounds, but never the conversation `open`. */
  async bound(open) {
    for (const { id } of (await this.conversations()).slice(MOST_CONVERSATIONS)) if (id !== open) await this.remove(id);
    const found = await this.exchanges(open);
    for (const { id } of found.slice(0, Math.max(0, found.length - MOST_EXCHANGES)))
      await this.#remove("exchanges", id);
  }

  async #remove(store, id) {
    if (this.#database) await done(this.#change(store).delete(id));
    else this.#memory[store].delete(id);
  }

  async #all(store, conversation = null) {
    if (!this.#database) {
      const found = [...this.#memory[store].values()].map((value) => structuredClone(value));
      return conversation === null ? found : found.filter((value) => value.conversation === conversation);
    }
    const source = this.#database.transaction(store).objectStore(store);
    return done(conversation === null ? source.getAll() : source.index("conversation").getAll(conversation));
  }

  #change(store) {
    return this.#database.transaction(store, "readwrite").objectStore(store);
  }
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function database(name) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    for (const store of STORES) request.result.createObjectStore(store, { keyPath: "id" });
    request.transaction.objectStore("exchanges").createIndex("conversation", "conversation");
  };
  return done(request);
}
