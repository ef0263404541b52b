/** Copying text. */

import { make } from "./element.js";
import { icon } from "./icons.js";
import { label, say } from "./language.js";

const SHOWN = 1500;

/** Put `text` on the clipboard, also where a page has no secure context. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { value: text, className: "unseen" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  focused?.focus();
  return undefined;
}

/** A button named `word` that copies what `text()` returns, and shows that. */
export function copyButton(word, text) {
  const button = make("button", { type: "button", className: "plain small" }, icon("copy"));
  label(button, word);
  button.addEventListener("click", async () => {
    await copy(text());
    button.replaceChildren(icon("done"), say("copied"));
    button.setAttribute("aria-label", say("copied"));
    setTimeout(() => {
      button.replaceChildren(icon("copy"));
      button.setAttribute("aria-label", say(word));
    }, SHOWN);
  });
  return button;
}
