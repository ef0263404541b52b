/** The arguments of a tool call, as people read them. */

/** Longer text, in characters, and deeper values stay as they are: their indents could take a thousand times their room. */
const LONGEST = 100_000;
const DEEPEST = 20;

/** JSON with a line for each field; anything else as it is. */
export function indented(text) {
  if (text.length > LONGEST) return text;
  try {
    const value = JSON.parse(text);
    return isDeep(value, DEEPEST) ? text : JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}

function isDeep(value, levels) {
  if (value === null || typeof value !== "object") return false;
  return levels === 0 || Object.values(value).some((inner) => isDeep(inner, levels - 1));
}
