/** Asks a model over bing-chat.v2. The answer is then followed as any other: closing the socket stops nothing. */

import { apiKey } from "./key.js";

/**
 * Ask `{model, question, token}`; safe to repeat under the same key. Resolves to the frame that says what became of
 * the question: `accepted` with `answer` and `token`, or `failed`. A lost network is a TypeError, as fetch has it.
 */
export function askModel(question, key, signal) {
  return new Promise((resolve, reject) => {
    const sent = apiKey();
    const address = `${location.origin.replace(/^http/, "ws")}/ws_stream`;
    const socket = new WebSocket(address, ["bing-chat.v2", ...(sent ? [`key.${sent}`] : [])]);
    const leave = () => (socket.close(), reject(signal.reason));
    signal.addEventListener("abort", leave);
    socket.onopen = () =>
      socket.send(JSON.stringify({ type: "ask", id: "1", idempotency_key: key, ...question }));
    socket.onmessage = ({ data }) => (resolve(JSON.parse(data)), socket.close());
    socket.onclose = () => {
      signal.removeEventListener("abort", leave);
      reject(new TypeError("the socket was closed"));
    };
  });
}
