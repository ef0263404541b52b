/** Where an answer comes from: numbered cards. */

import { visible } from "./bidi.js";
import { make } from "./element.js";
import { say } from "./language.js";
import { outward, webAddress } from "./markdown.js";

/** The cards, null without any. Their numbers are those of the answer's list. */
export function sources(urls) {
  const cards = urls.map(({ title, url }, at) => card(title, url, at + 1)).filter((found) => found !== null);
  if (!cards.length) return null;
  return make("section", { className: "sources", "aria-label": say("sources") }, make("ol", {}, ...cards));
}

function card(title, url, number) {
  if (!webAddress(url) || !URL.canParse(url)) return null;
  const host = new URL(url).hostname.replace(/^www\./, "");
  const link = make(
    "a",
    { href: url },
    make("span", { className: "number", textContent: number }),
    make(
      "span",
      { className: "about" },
      make("bdi", { textContent: visible(title || host) }),
      make("small", { textContent: host }),
    ),
  );
  outward(link);
  return make("li", {}, link);
}
