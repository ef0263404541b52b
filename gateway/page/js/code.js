/** Blocks of code: their language, a button that copies them, and colours once they are whole. */

import { make } from "./element.js";
import { copyButton } from "./copy.js";
import { label } from "./language.js";
import { spans } from "./markdown.js";

/** Larger ones stay plain, in characters: colours are not worth a page that freezes. */
const LARGEST = 10_000;
/** Once a block took so many milliseconds, all are plain: patterns of many languages take quadratic time for some texts. */
const SLOW = 250;
let highlighter = null;
let isSlow = false;

/** Put `pre`, as Markdown makes it, into a frame of its own. */
export function framed(pre) {
  const code = pre.querySelector("code") ?? pre;
  const language = /language-([\w+#.-]+)/.exec(code.className)?.[1] ?? "";
  const figure = make("figure", { className: "code" });
  pre.replaceWith(figure);
  pre.tabIndex = 0;
  pre.setAttribute("role", "group");
  label(pre, "code", language);
  const copy = copyButton("copyCode", () => code.textContent.replace(/\n$/, ""));
  figure.append(make("figcaption", {}, make("span", { textContent: language }), copy), pre);
  return figure;
}

/** Add what `more`, another frame, holds to `figure`: both are parts of one block. */
export function joined(figure, more) {
  figure
    .querySelector("code")
    .append(make("span", { className: "part", textContent: more.querySelector("code").textContent }));
}

/** Colour a block that is whole, when there is time. */
export async function coloured(figure) {
  const code = figure.querySelector("code");
  const language = /language-([\w+#.-]+)/.exec(code.className)?.[1];
  if (!language || code.textContent.length > LARGEST) return;
  highlighter ??= import("../vendor/highlight.mjs").then((module) => module.default);
  const highlight = await highlighter;
  await new Promise((resolve) => (globalThis.requestIdleCallback ?? setTimeout)(resolve));
  if (isSlow || !highlight.getLanguage(language)) return;
  const begun = performance.now();
  code.replaceChildren(spans(highlight.highlight(code.textContent, { language, ignoreIllegals: true }).value));
  isSlow = performance.now() - begun > SLOW;
}
