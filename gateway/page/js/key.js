/** The API key: kept for this tab, or for this browser if its owner wants that. */

import { choice, choose } from "./choices.js";

const NAME = "api-key";
let own = null;

/** The key, null without one. */
export function apiKey() {
  try {
    own ??= sessionStorage.getItem(NAME);
  } catch {
    // Kept for as long as the page is open.
  }
  return own ?? choice(NAME);
}

export function keepKey(key, remember) {
  own = key;
  choose(NAME, remember ? key : null);
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // As above.
  }
}
