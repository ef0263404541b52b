/** What a screen reader is told of a growing answer: whole sentences, in portions, not each delta. */

const END = /[.!?…:]["”’)]?(?=\s)|[。！？；：]["”’）]?|\n/g;
const PORTION = 160;

export class Speech {
  #told = 0;

  /** The next portion of `text`, which grows; "" while there is none. With `ended`, all that is left. */
  next(text, ended = false) {
    if (this.#told > text.length) this.#told = 0;
    const rest = text.slice(this.#told);
    const end = ended ? rest.length : lastEnd(rest);
    if (!ended && end < PORTION) return "";
    this.#told += end;
    return plain(rest.slice(0, end));
  }
}

function lastEnd(text) {
  let end = 0;
  for (const match of text.matchAll(END)) end = match.index + match[0].length;
  return end;
}

/** Without what only makes sense to the eye. */
function plain(text) {
  return text
    .replace(/!?\[([^\]\n]*)\]\([^)\n]*\)/g, "$1")
    .replace(/[*_`#>|~]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
