/** The page's language: the one that was chosen, else the browser's. */

import { choice } from "./choices.js";
import { icon } from "./icons.js";
import { REASONS } from "./reasons.js";
import { WORDS } from "./words.js";

/** "en" or "zh". */
export function language() {
  const chosen = choice("language");
  if (chosen in WORDS) return chosen;
  return preferred(navigator.languages ?? [navigator.language]);
}

/** The first of a browser's languages that we have. */
export function preferred(languages) {
  return languages.map((name) => name.toLowerCase().split("-")[0]).find((name) => name in WORDS) ?? "en";
}

/** The text for `word`; `parts` fill it in, a failure by its sentence. */
export function say(word, ...parts) {
  const said = WORDS[language()][word];
  return typeof said === "function" ? said(...parts.map((part) => (part?.reason ? sentence(part) : part))) : said;
}

/** The sentence of a failure, `{reason, message}`: what the gateway sent, in the language of then, if it is unknown. */
export function sentence({ reason, message }) {
  return REASONS[language()][reason] ?? message;
}

/** Write what is marked in `root`: `data-say` as text, `data-label` as name, `data-hint` as placeholder, icons. */
export function write(root) {
  for (const element of root.querySelectorAll("[data-say]")) {
    element.textContent = say(element.dataset.say, element.dataset.part);
  }
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
  for (const element of root.querySelectorAll("[data-label]")) {
    named(element, say(element.dataset.label, element.dataset.part));
  }
  for (const element of root.querySelectorAll("[data-icon]:empty")) element.append(icon(element.dataset.icon));
}

/** Write `word` into `element`, which `part` fills in, in this language and in one that is chosen later. */
export function text(element, word, part = "") {
  Object.assign(element.dataset, { say: word, part });
  element.textContent = say(word, part);
  return element;
}

/** Name `element` with `word`, which `part` fills in, in this language and in one that is chosen later. */
export function label(element, word, part = "") {
  Object.assign(element.dataset, { label: word, part });
  named(element, say(word, part));
  return element;
}

function named(element, name) {
  element.setAttribute("aria-label", name);
  if (element.tagName === "BUTTON") element.title = name;
}
