// The line to a gateway: events come in, orders go out. The key goes in a header, never into an address.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
// A gateway says something every 10 s.
const SILENCE = 25_000;

/** What a gateway refuses; `status` is HTTP's, `wait` the seconds after which to come back. */
export class Refusal extends Error {
  constructor(status, message, wait) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

async function refusal(response) {
  const told = await response.json().catch(() => ({}));
  return new Refusal(response.status, told.message ?? response.statusText, Number(response.headers.get("retry-after")) || 0);
}

/** Do something: POST with a JSON body. Refusal, or TypeError when nobody answers. */
export async function order(key, path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "accept-language": document.documentElement.lang },
    body: JSON.stringify(body ?? {}),
  });
  if (!response.ok) throw await refusal(response);
}

/** Tell what comes, and the state of the line, until `close`d. A key that is refused ends it. */
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

  /** Once it was let in, only a key that is refused sends it away: gateways come and go. */
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
