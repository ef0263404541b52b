// The keys that requests are sent with. They stay in this tab, where the chat page and the console keep them too.
import { field } from "/docs/field.js";

const KEYS = {
  api: { stored: "api-key", label: "API key", hint: "Only if the server wants one. It stays in this tab.", variable: "$API_KEY" },
  admin: { stored: "console-key", label: "Admin key", hint: "One of those that ADMIN_KEYS_FILE lists. It stays in this tab.",
    variable: "$ADMIN_KEY" },
};
// Where a browser keeps nothing, for as long as the page is open.
const values = new Map();

/** Which key an operation of a document needs: "api", "admin", or null. */
export function keyOf(operation) {
  if (!operation.security) return "api";
  return operation.security.some((one) => "admin" in one) ? "admin" : null;
}

/** The key itself, "" without one. */
export function valueOf(kind) {
  try {
    return sessionStorage.getItem(KEYS[kind].stored) ?? "";
  } catch {
    return values.get(kind) ?? "";
  }
}

/** What a command line has in place of the key. */
export const variableOf = (kind) => KEYS[kind].variable;

/** A field for a key; fields of one kind hold the same. */
export function keyField(kind) {
  const { label, hint } = KEYS[kind];
  const made = field(label, { type: "password", autocomplete: "off", "data-key": kind, value: valueOf(kind) }, hint);
  made.input.addEventListener("input", () => {
    keep(kind, made.input.value.trim());
    for (const other of document.querySelectorAll(`[data-key=${kind}]`)) if (other !== made.input) other.value = made.input.value;
  });
  return made;
}

function keep(kind, value) {
  values.set(kind, value);
  try {
    if (value) sessionStorage.setItem(KEYS[kind].stored, value);
    else sessionStorage.removeItem(KEYS[kind].stored);
  } catch {
    // Kept above.
  }
}
