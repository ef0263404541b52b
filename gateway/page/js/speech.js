/** The portions of a growing answer that a screen reader reads: whole sentences, not each delta. */

const END = /[.!?…:]["”’)]?(?=\s)|[。！？；：]["”’）]?|\n/g;
const PORTION = 160;

export class Speech {
  #announced = 0;

  /** The next portion of `text`, which grows; "" while there is none. With `ended`, all that is left. */
  next(text, ended = false) {
    if (this.#announced > text.length) this.#announced = 0;
    const rest = text.slice(this.#announced);
    const end = ended ? rest.length : lastEnd(rest);
    if (!ended && end < PORTION) return "";
    this.#announced += end;
    return plain(rest.slice(0, end));
  }
}

function lastEnd(text) {
  let end = 0;
  for (const match of text.matchAll(END)) end = match.index + match[0].length;
  return end;
}

/** A link or picture, without `[` inside: thousands of brackets that close nothing would take quadratic time. */
const LINK = /!?\[([^[\]\n]*)\]\([^[)\n]*\)/g;

/** Without what only makes sense to the eye. */
function plain(text) {
  return text
    .replace(LINK, "$1")
    .replace(/[*_`#>|~]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
