/** Characters that change the direction of what follows them, beyond their own text. */

const OVERRIDES = /[\u202a-\u202e\u2066-\u2069]/g;

/** `text` with such characters shown by their names, so that no text is shown in another place than where it was written. */
export function visible(text) {
  return text.replace(OVERRIDES, (found) => `[U+${found.charCodeAt(0).toString(16).toUpperCase()}]`);
}
