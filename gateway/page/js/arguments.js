/** The arguments of a tool call, as people read them. */

/** JSON with a line for each field; anything else as it is. */
export function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
