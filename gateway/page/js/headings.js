/** An answer's headings, below those of the page, and without a gap between a level and the next. */

import { make } from "./element.js";

/** The level of the heading above an answer. */
export const LOWEST = 2;

/** Give the headings in `fragment` their levels, after one of `level`; returns the last one's. They look as written. */
export function levelled(fragment, level) {
  let last = level;
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const written = Number(heading.localName[1]);
    last = Math.min(written + LOWEST, last + 1, 6);
    heading.replaceWith(make(`h${last}`, { className: `level${Math.min(written, 4)}` }, ...heading.childNodes));
  }
  return last;
}
