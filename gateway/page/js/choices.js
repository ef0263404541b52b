/** What was chosen, kept in this browser, or only in this tab where it keeps nothing. */

const kept = new Map();

export function choice(name, otherwise = null) {
  try {
    return localStorage.getItem(name) ?? kept.get(name) ?? otherwise;
  } catch {
    return kept.get(name) ?? otherwise;
  }
}

/** Keep `value`; null forgets it. */
export function choose(name, value) {
  if (value === null) kept.delete(name);
  else kept.set(name, value);
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Kept for this tab.
  }
}

/** Call `act(name)` when another tab has chosen. */
export function onChoice(act) {
  addEventListener("storage", (event) => event.key && act(event.key));
}
