/** The gateway's endpoints. A lost network is a TypeError, as fetch has it; all else is a response. */

import { apiKey } from "./key.js";
import { language } from "./language.js";

function headers(more = {}) {
  const key = apiKey();
  return { "Accept-Language": language(), ...(key && { Authorization: `Bearer ${key}` }), ...more };
}

function post(path, body, key, accept, signal) {
  return fetch(path, {
    method: "POST",
    headers: headers({ "Content-Type": "application/json", "Idempotency-Key": key, Accept: accept }),
    body: JSON.stringify(body),
    signal,
  });
}

/** Ask `{style, question, token}`; safe to repeat under the same key. The answer is a stream. */
export function ask(question, key, signal) {
  return post("/api_stream", question, key, "text/event-stream", signal);
}

/** Ask for pictures; safe to repeat under the same key. */
export function draw(keyword, key, signal) {
  return post("/image", { keyword }, key, "application/json", signal);
}

/** The stream of an answer behind its event `after`. */
export function stream(answer, after, signal) {
  return fetch(`/answers/${answer}/stream?after=${after}`, { headers: headers(), signal });
}

/** How far an answer has come. */
export function progress(answer, signal) {
  return fetch(`/answers/${answer}`, { headers: headers(), signal });
}

/** Whether no worker with an account is alive; false when that can't be known. */
export async function noWorker(signal) {
  const response = await fetch("/readyz", { headers: headers(), signal }).catch(() => null);
  const ready = await response?.json().catch(() => null);
  return ready?.redis === true && ready.workers === 0;
}

/** The models that can be asked. */
export function models() {
  return fetch("/v1/models", { headers: headers() });
}

/** Stop an answer. */
export function stop(answer) {
  return fetch(`/answers/${answer}`, { method: "DELETE", headers: headers() });
}
