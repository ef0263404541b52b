// A state as a word, a colour and a shape.

import { el, svg } from "./dom.js";
import { w } from "./words.js";

const SHAPES = {
  ready: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Z",
  cooling: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 2v5l3.5 2-1 1.6L6.2 9V3Z",
  quarantined: "M8 1 15.5 14.5H.5ZM7.1 6v4.2h1.8V6Zm0 5.2V13h1.8v-1.8Z",
  dead: "m3.2 1.2 4.8 4.7 4.8-4.7 2 2L10.1 8l4.7 4.8-2 2L8 10.1l-4.8 4.7-2-2L5.9 8 1.2 3.2Z",
  paused: "M3 2h3.6v12H3Zm6.4 0H13v12H9.4Z",
  draining: "M6.2 1h3.6v6.5H14L8 15 2 7.5h4.2Z",
  waiting: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 2.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6Z",
};
const LIKE = { up: "ready", QUEUED: "waiting", CLAIMED: "waiting", SENT: "cooling", STREAMING: "ready" };

export function badge(state) {
  const shape = LIKE[state] ?? state;
  const icon = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: SHAPES[shape] ?? SHAPES.waiting, "fill-rule": "evenodd" }));
  return el("span", { class: `badge is-${shape}` }, icon, w[state] ?? state);
}
