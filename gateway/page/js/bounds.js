/** A plugin of markdown-it: what a text becomes is about as much as the text, whatever a few characters stand for. */

/** How many characters of addresses and titles a text of any length may have. */
const SPARE = 2_000;
/** And how many for each of its own: escaped, a character of Chinese is nine. */
const ESCAPED = 10;

export function bounds(md) {
  md.block.ruler.before("table", "sparse_table", sparse);
  md.core.ruler.after("inline", "addresses", addresses);
}

/** A table with more cells than characters: the library fills each row up to its head's columns. It is shown as text. */
function sparse(state, first, last) {
  const columns = first + 1 < last ? line(state, first + 1).match(/-[-:\s]*(\||$)/g)?.length : 0;
  // Fewer have no more cells than characters.
  if (!(columns > 2) || line(state, first).split("|").length < columns) return false;
  const next = end(state, first + 2, last);
  if ((next - first) * columns <= state.eMarks[next - 1] - state.bMarks[first]) return false;
  paragraph(state, first, next);
  return true;
}

/** The line behind a table's rows: by the same rules as the library's own. */
function end(state, first, last) {
  const others = state.md.block.ruler.getRules("blockquote");
  const inside = (number) =>
    state.sCount[number] >= state.blkIndent &&
    !state.isEmpty(number) &&
    !others.some((rule) => rule(state, number, last, true));
  let number = first;
  while (number < last && inside(number)) number += 1;
  return number;
}

function paragraph(state, first, next) {
  state.push("paragraph_open", "p", 1).map = [first, next];
  const inline = state.push("inline", "", 0);
  inline.content = state.getLines(first, next, state.blkIndent, false).trim();
  inline.map = [first, next];
  inline.children = [];
  state.push("paragraph_close", "p", -1);
  state.line = next;
}

function line(state, number) {
  return state.src.slice(state.bMarks[number] + state.tShift[number], state.eMarks[number]);
}

/** A long address that is defined once, and used again and again: from some use on the links lead nowhere. */
function addresses(state) {
  let room = state.src.length * ESCAPED + SPARE;
  const check = (token) => {
    for (const name of ["href", "src", "title"]) room -= token.attrGet(name)?.length ?? 0;
    if (room < 0 && token.attrs) token.attrs = token.attrs.map(([name]) => [name, ""]);
    token.children?.forEach(check);
  };
  state.tokens.forEach(check);
}
