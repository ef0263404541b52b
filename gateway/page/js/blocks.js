/**
 * Where a growing Markdown text can be parted: what lies before such a place is never changed by what comes later.
 * So only what lies behind it has to be rendered again.
 */

/** How much text is rendered again at most, in characters. */
export const LONGEST = 12_000;
/** How much of it may be what comes before each part again: every step has to take more than it puts back. */
const LONGEST_PREFIX = 3_000;

const LISTS = new Set(["bullet_list_open", "ordered_list_open"]);
const ITEM = /\n(?=(?:[-*+]|\d{1,9}[.)])[ \t])/g;

/**
 * The next part of `text`: `{at, prefix, joined}`, or null while there is none.
 *
 * What comes before `at` is settled. The rest continues as if `prefix` came before it: the head of a table that was
 * parted, or the first line of a code block, which is then `joined` to what came before.
 * `blocks(text)` gives `{type, line}` of each top-level block.
 */
export function settled(text, blocks) {
  const whole = text.lastIndexOf("\n") + 1;
  // A last line that isn't whole yet may still belong to the block before it.
  const found = whole ? blocks(text.slice(0, whole)) : [];
  if (found.length > 1) return { at: offset(text, found.at(-1).line), prefix: "", joined: false };
  if (text.length <= LONGEST) return null;
  return parted(text, found[0]);
}

function parted(text, first) {
  const line = text.lastIndexOf("\n", LONGEST) + 1;
  // Empty lines are no block.
  if (first?.line) return { at: offset(text, first.line), prefix: "", joined: false };
  const type = first?.type;
  if (type === "fence") {
    const prefix = fence(text);
    return { at: line > lines(text, 1).length ? line : hard(text), prefix, joined: true };
  }
  if (type === "table_open") {
    const head = lines(text, 2);
    if (line > head.length && head.length <= LONGEST_PREFIX) return { at: line, prefix: head, joined: false };
  }
  if (LISTS.has(type)) {
    const item = lastMatch(text.slice(0, LONGEST), ITEM);
    if (item > 0) return { at: item + 1, prefix: "", joined: false };
  }
  return { at: line || text.lastIndexOf(" ", LONGEST) + 1 || hard(text), prefix: "", joined: false };
}

/** The first line of a block of code, or so much of a long one as the language is in. */
function fence(text) {
  const line = lines(text, 1);
  return line.length <= LONGEST_PREFIX ? line : line.slice(0, LONGEST_PREFIX - 1) + "\n";
}

/** A place within a line without spaces, but not within a character. */
function hard(text) {
  return /[\ud800-\udbff]/.test(text[LONGEST - 1]) ? LONGEST - 1 : LONGEST;
}

function lastMatch(text, pattern) {
  let last = -1;
  for (const match of text.matchAll(pattern)) last = match.index;
  return last;
}

function lines(text, count) {
  return text.slice(0, offset(text, count));
}

/** Where line number `line` begins, counted from 0. */
function offset(text, line) {
  let at = 0;
  for (let number = 0; number < line; number += 1) at = text.indexOf("\n", at) + 1;
  return at;
}
