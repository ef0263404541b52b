/** Follows one answer to its end, whatever happens to gateways, the network or the page on the way. */

import * as api from "./api.js";
import { fail, finish, unanswered } from "./exchange.js";
import { askModel } from "./socket.js";
import { events, place } from "./sse.js";
import { pause, sleep } from "./wait.js";

/** How often the queue is looked at while there is no text, in milliseconds. */
const LOOK_EVERY = 1000;
/** For how long to come back to a gateway that isn't there; an answer isn't kept for longer. */
const GIVE_UP = 10 * 60_000;
/** How often a refusal for want of room is taken as "in a moment", and the longest such moment in seconds. */
const MOST_REFUSALS = 4;
const A_MOMENT = 5;
/** Of a token that is no longer alive; the accounts' quota has the same code, and a time to come back. */
const TOKEN_UNKNOWN = 120;
const LOST = { code: 0, message: "", reason: "interrupted" };
/** Of a refusal, which has no reason with it, by its code. */
const REASONS = { 110: "request.format", 408: "request.slow", 500: "internal" };

export class Run {
  #show;
  #needKey;
  #over = new AbortController();
  #seq = 0;
  #tries = 0;
  #refusals = 0;
  #reached = Date.now();
  #thinking = null;

  /**
   * Ends `exchange`. `show()` is called whenever it or `live` has changed; `needKey()` resolves when there may be
   * another API key, to false if there is none.
   */
  constructor(exchange, { show, needKey }) {
    this.exchange = exchange;
    this.live = { phase: exchange.answer ? "thinking" : "asking" };
    this.#show = show;
    this.#needKey = needKey;
  }

  /** Continue until there is an end, or until stop() or leave(). */
  async follow() {
    const { signal } = this.#over;
    while (this.exchange.state === "running" && !signal.aborted) {
      try {
        await (this.exchange.kind === "image" ? this.#draw() : this.#talk());
        this.#tries = 0;
      } catch (error) {
        if (signal.aborted) break;
        // A TypeError is a lost network, a SyntaxError half a document; anything else is a fault of this page.
        if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
        await this.#lost();
      }
    }
    this.#show();
  }

  /** End the answer, at the gateway too. */
  async stop() {
    const { answer } = this.exchange;
    if (answer) {
      const response = await api.stop(answer).catch(() => null);
      if (response?.ok) finish(this.exchange, (await response.json()).data);
    }
    // Without an answer there was no turn; of one that can't be reached nothing is known.
    if (this.exchange.state === "running") Object.assign(this.exchange, { state: "stopped", reset: Boolean(answer) });
    this.leave();
    this.#show();
  }

  /** Follow no longer; the answer lives on. */
  leave() {
    this.#over.abort(new DOMException("left", "AbortError"));
  }

  #report(live) {
    this.live = live;
    this.#show();
  }

  async #lost() {
    if (Date.now() - this.#reached > GIVE_UP) return fail(this.exchange, LOST);
    this.#report({ phase: "lost" });
    this.#tries += 1;
    return sleep(pause(this.#tries), this.#over.signal).catch(() => null);
  }

  /** Ask, or resume the answer that there is. */
  async #talk() {
    const { exchange } = this;
    if (exchange.answer) return this.#resume();
    const { style, model, question, token, key } = exchange;
    if (model) return this.#askModel({ model, question, ...(token && { token }) });
    const response = await api.ask({ style, question, ...(token && { token }) }, key, this.#over.signal);
    if (!(await this.#taken(response))) return undefined;
    exchange.answer = response.headers.get("X-Answer-ID");
    this.#report({ phase: "thinking" });
    return this.#read(response);
  }

  /** Ask a model; its answer is then taken up as after a cut. */
  async #askModel(question) {
    const { exchange } = this;
    const { signal } = this.#over;
    const frame = await askModel(question, exchange.key, signal).catch(async (error) => {
      // A socket that can't be opened doesn't say why.
      const { status } = await api.models();
      if (status !== 401) throw error;
      return { type: "failed", code: status, message: "" };
    });
    if (frame.type !== "accepted") return this.#refused(frame, frame.retry_after ?? null);
    exchange.answer = frame.answer;
    this.#report({ phase: "thinking" });
    return this.#resume();
  }

  async #draw() {
    const response = await api.draw(this.exchange.question, this.exchange.key, this.#over.signal);
    if (!(await this.#taken(response))) return;
    const { data } = await response.json();
    finish(this.exchange, { ...unanswered(), state: "done", images: data });
  }

  /** Take up an answer where it is now. */
  async #resume() {
    const data = await this.#look();
    if (!data || this.exchange.state !== "running") return;
    this.#seq = data.seq;
    this.exchange.text = data.text;
    this.#think(data);
    await this.#place(data);
    const response = await api.stream(this.exchange.answer, data.seq, this.#over.signal);
    if (response.status === 204) return;
    if (await this.#taken(response)) await this.#read(response);
  }

  /** How far the answer has come, put into the exchange if it has ended; null when it can't be read. */
  async #look() {
    const response = await api.progress(this.exchange.answer, this.#over.signal);
    if (!(await this.#taken(response))) return null;
    const { data } = await response.json();
    if (!["queued", "running"].includes(data.state)) finish(this.exchange, data);
    return data;
  }

  /** Take up what the answer's model thinks, and for how long it has. */
  #think({ reasoning = "", text }) {
    if (!reasoning) return;
    this.#thinking ??= Date.now();
    this.exchange.reasoning = reasoning;
    if (!text) this.exchange.thought = Date.now() - this.#thinking;
  }

  async #place({ state, position, wait }) {
    if (state !== "queued") return this.#report({ phase: "thinking" });
    const missing = await api.noWorker(this.#over.signal);
    return this.#report(missing ? { phase: "noWorker" } : { phase: "queued", position, wait });
  }

  /** Read a stream to its end. */
  async #read(response) {
    const watching = new AbortController();
    this.#watch(AbortSignal.any([watching.signal, this.#over.signal]));
    try {
      for await (const { id, data } of events(decoded(response.body))) {
        this.#reached = Date.now();
        const at = id && place(id);
        if (at) this.#seq = at.seq;
        if (data !== null && (await this.#frame(JSON.parse(data)))) return;
      }
      // The stream ended without an end of the answer: its gateway goes down, or the line was cut.
      if (this.exchange.state === "running") await this.#lost();
    } finally {
      watching.abort();
    }
  }

  /** Take a frame; whether it was the last one. */
  async #frame({ code, message, data }) {
    const { exchange } = this;
    if (code === 200 && !data.done) {
      // An empty one is a sign of life.
      if (!data.answer) return false;
      if (!exchange.text && this.#thinking) exchange.thought = Date.now() - this.#thinking;
      exchange.text += data.answer;
      this.#report({ phase: "writing" });
      return false;
    }
    if (code === 200) Object.assign(exchange, { text: data.answer, urls: data.urls, given: data.token });
    this.#show();
    // The other fields of an end are in the answer itself, as is whether an error is the answer's own.
    const found = await this.#look().catch(() => null);
    if (exchange.state !== "running") return true;
    // The gateway's error, not the answer's: it continues, perhaps at another gateway.
    if (found) return this.#lost().then(() => true);
    if (code === 200) Object.assign(exchange, { state: "done", reset: data.reset });
    else fail(exchange, { code, message });
    return true;
  }

  /** Look at the queue until there is text. */
  async #watch(signal) {
    try {
      for (;;) {
        await sleep(LOOK_EVERY, signal);
        if (this.exchange.text || this.exchange.state !== "running") return;
        const response = await api.progress(this.exchange.answer, signal);
        if (!response.ok) return;
        const { data } = await response.json();
        if (this.exchange.text || this.exchange.state !== "running") return;
        this.#think(data);
        if (data.reasoning) this.#report({ phase: "thinking" });
        if (data.state === "queued" || ["queued", "noWorker"].includes(this.live.phase)) await this.#place(data);
      }
    } catch {
      // The stream itself contains the result.
    }
  }

  /** Whether the gateway took a request. If it didn't, what follows from that is done. */
  async #taken(response) {
    const type = response.headers.get("Content-Type") ?? "";
    if (type.startsWith("text/event-stream")) return true;
    const copy = await response
      .clone()
      .json()
      .catch(() => ({ code: response.status, message: "" }));
    if (copy.code === 200) return true;
    if (await this.#failed(response.headers.get("X-Answer-ID"))) return false;
    await this.#refused(copy, Number(response.headers.get("Retry-After")) || null);
    return false;
  }

  /** Whether a response that isn't a stream names an answer that has failed: that has the reason. */
  async #failed(answer) {
    if (!answer || this.exchange.answer) return false;
    this.exchange.answer = answer;
    await this.#look();
    return this.exchange.state !== "running";
  }

  async #refused({ code, message, reason: given }, retryAfter) {
    const { exchange } = this;
    if (code === 401) {
      this.#report({ phase: "key" });
      if (await this.#needKey()) return this.#report({ phase: "asking" });
    }
    if (code === TOKEN_UNKNOWN && retryAfter === null && exchange.token) {
      return Object.assign(exchange, unanswered(), { token: null, afresh: true });
    }
    const soon = (code === 503 || code === 429) && (retryAfter ?? 1) <= A_MOMENT;
    const patient = exchange.answer ? Date.now() - this.#reached < GIVE_UP : this.#refusals < MOST_REFUSALS;
    const missing = code === 503 && (await api.noWorker(this.#over.signal));
    if (soon && patient) {
      this.#refusals += 1;
      this.#report(missing ? { phase: "noWorker" } : { phase: "busy", seconds: retryAfter ?? 1 });
      return sleep((retryAfter ?? 1) * 1000, this.#over.signal).catch(() => null);
    }
    const reason = missing ? "worker.none" : (given ?? REASONS[code]);
    return fail(exchange, { code, message, reason, retry_after: retryAfter });
  }
}

async function* decoded(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => null);
  }
}
