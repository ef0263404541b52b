/** Maths stays as written, but for what encloses it: readable, and safe from Markdown's use of the same characters. */

const CLOSED_BY = { $$: "$$", "\\[": "\\]", "\\(": "\\)", $: "$" };

/** A plugin of markdown-it. */
export function maths(md) {
  md.inline.ruler.before("escape", "maths", inline);
  md.block.ruler.before("fence", "maths", block, { alt: ["paragraph", "blockquote", "list"] });
  const escape = md.utils.escapeHtml;
  md.renderer.rules.maths_inline = (tokens, at) => `<span class="maths">${escape(tokens[at].content)}</span>`;
  md.renderer.rules.maths_block = (tokens, at) => `<p class="maths">${escape(tokens[at].content)}</p>\n`;
}

function inline(state, silent) {
  const open = opening(state.src, state.pos);
  if (!open) return false;
  const from = state.pos + open.length;
  const end = open === "$" ? dollar(state.src, from) : closing(state, open, from);
  if (end <= from || end >= state.posMax) return false;
  if (!silent) state.push("maths_inline", "span", 0).content = state.src.slice(from, end).trim();
  state.pos = end + CLOSED_BY[open].length;
  return true;
}

/** Where a formula is closed, -1 if nowhere. Thousands that aren't would take quadratic time if each were looked for. */
function closing(state, open, from) {
  const unclosed = (state.unclosed ??= {});
  if (from >= unclosed[open]) return -1;
  const end = state.src.indexOf(CLOSED_BY[open], from);
  if (end < 0) unclosed[open] = from;
  return end;
}

function opening(text, at) {
  const two = text.slice(at, at + 2);
  if (two in CLOSED_BY) return two;
  return text[at] === "$" ? "$" : null;
}

/** Where a single dollar is closed: on its line, and not in "$5 and $6". -1 if nowhere. */
function dollar(text, from) {
  const line = /^[^\n$]{1,400}/.exec(text.slice(from, from + 401));
  if (!line || /^\s|\s$/.test(line[0])) return -1;
  const end = from + line[0].length;
  return text[end] === "$" && !/\d/.test(text[end + 1] ?? "") ? end : -1;
}

/** A formula with lines of its own, from the line that opens it to the one that closes it. */
function block(state, first, last, silent) {
  const line = (number) => state.src.slice(state.bMarks[number] + state.tShift[number], state.eMarks[number]);
  const open = line(first).slice(0, 2);
  if (open !== "$$" && open !== "\\[") return false;
  const unclosed = (state.unclosed ??= {});
  const kind = `${open} ${last}`;
  if (first >= unclosed[kind]) return false;
  let end = first;
  const closed = (number) =>
    line(number)
      .slice(number === first ? 2 : 0)
      .trimEnd()
      .endsWith(CLOSED_BY[open]);
  while (end < last && !closed(end)) end += 1;
  if (end >= last) {
    unclosed[kind] = first;
    return false;
  }
  if (silent) return true;
  state.line = end + 1;
  const token = state.push("maths_block", "p", 0);
  token.content = state
    .getLines(first, end + 1, state.blkIndent, false)
    .trim()
    .slice(2, -2)
    .trim();
  token.map = [first, state.line];
  return true;
}
