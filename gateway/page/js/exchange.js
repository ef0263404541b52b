/**
 * A question and what became of it:
 *
 * - `id`, `conversation`, `created`, `kind` ("chat" or "image"), `style`, `question`
 * - `model`, the model of a server that was asked, null for Bing; `by`, the one that answered
 * - `token` it was asked with, null for the first; `given`, the one to continue with; `key`, its Idempotency-Key
 * - `afresh`: the conversation was no longer known, so that this began a new one
 * - `answer`, the answer's id once it is known
 * - `state`: "running", "done", "stopped" or "failed"
 * - `reasoning`, `calls` of tools, `thought`: for how many milliseconds it was thinking, null for unknown
 * - `text`, `urls`, `images`, `suggestions`, `turns`, `reset`
 * - `error`: null, or `{code, message, reason, until}`, `until` being when to come back, in milliseconds
 */

/** Random letters, as many as nobody guesses; also where a page has no secure context. */
export function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A new question in `conversation`. */
export function newExchange(conversation, kind, question) {
  const { id, token, style, model = null } = conversation;
  const asked = { kind, style, model: kind === "chat" ? model : null, question, token };
  return { id: unique(), conversation: id, created: Date.now(), ...asked, ...unanswered() };
}

/** What an exchange has before it is answered, under a key that wasn't used. */
export function unanswered() {
  return {
    key: unique(),
    given: null,
    answer: null,
    state: "running",
    text: "",
    by: null,
    reasoning: "",
    calls: [],
    thought: null,
    urls: [],
    images: [],
    suggestions: [],
    turns: null,
    reset: false,
    error: null,
  };
}

/** Put the end of an answer, as the gateway sends it, into `exchange`. */
export function finish(exchange, data) {
  const { state, text, urls, images, suggestions, turns, reset, error, token = null } = data;
  const { reasoning, tool_calls: calls = [], model = null } = data;
  Object.assign(exchange, {
    state,
    urls,
    images,
    suggestions,
    turns,
    reset,
    text: text || exchange.text,
    by: model,
    reasoning: reasoning || exchange.reasoning,
    calls,
    given: token,
  });
  if (error) fail(exchange, error);
}

/** End an exchange by an error: `{code, message, reason, retry_after}`, the last in seconds. */
export function fail(exchange, { code, message, reason = "", retry_after = null }) {
  const until = retry_after === null ? null : Date.now() + retry_after * 1000;
  exchange.state = "failed";
  exchange.error = { code, message, reason, until };
}
