// The connection to a gateway: events come in, orders go out. The key is sent in a header, never in an address.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
// A gateway sends something every 10 s.
const SILENCE = 25_000;

/** The refusal of a request; `status` is HTTP's, `wait` the seconds after which to try again. */
export class Refusal extends Error {
  constructor(status, message, wait) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  return new Refusal(response.status, body.message ?? response.statusText, Number(response.headers.get("retry-after")) || 0);
}

/** Send an order: POST with a JSON body. Throws Refusal, or TypeError without an answer. */
export async function order(key, path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "accept-language": document.documentElement.lang },
    body: JSON.stringify(body ?? {}),
  });
  if (!response.ok) throw await refusal(response);
}

/**
 * Report events and the state of the connection until `close`d. It ends when the key is refused.
 *
 * A gateway that drains ends the stream, with or without its last chunk; either way the connection is opened again.
 */
export class Connection {
  #key;
  #on;
  #closed = new AbortController();
  #pause = FIRST_PAUSE;
  #met = false;

  /** `on.event(name, data)`, `on.trying()`, `on.lost(ms)`, `on.refused(refusal)`. */
  constructor(key, on) {
    this.#key = key;
    this.#on = on;
    this.#run();
  }

  close() {
    this.#closed.abort();
  }

  async #run() {
    while (!this.#closed.signal.aborted) {
      this.#on.trying();
      try {
        await this.#listen();
      } catch (error) {
        if (this.#isFinal(error)) {
          if (!this.#closed.signal.aborted) this.#on.refused(error);
          return;
        }
        this.#pause = Math.max(this.#pause, (error.wait ?? 0) * 1000);
      }
      if (this.#closed.signal.aborted) return;
      const pause = this.#pause * (0.75 + Math.random() / 2);
      this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
      this.#on.lost(pause);
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }

  /** After a first success only a refused key is final: gateways stop and start. */
  #isFinal(error) {
    return error instanceof Refusal && (error.status === 401 || (!this.#met && [404, 429].includes(error.status)));
  }

  async #listen() {
    const over = new AbortController();
    const hangUp = () => over.abort();
    this.#closed.signal.addEventListener("abort", hangUp);
    let watchdog = setTimeout(hangUp, SILENCE);
    try {
      const response = await fetch("/console/live", {
        headers: { authorization: `Bearer ${this.#key}` }, cache: "no-store", signal: over.signal,
      });
      if (!response.ok) throw await refusal(response);
      for await (const [name, data] of events(response.body)) {
        clearTimeout(watchdog);
        watchdog = setTimeout(hangUp, SILENCE);
        this.#pause = FIRST_PAUSE;
        this.#met = true;
        this.#on.event(name, data);
      }
    } finally {
      clearTimeout(watchdog);
      this.#closed.signal.removeEventListener("abort", hangUp);
    }
  }
}

/** The events of a stream of bytes, each with its name and its JSON. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      if (fields.data) yield [fields.event, JSON.parse(fields.data)];
    }
  }
}
