/** Keys that work anywhere on the page. */

/** `actions` by key: "Escape", "/", "?" when nothing is being written, and "Alt+…" always. */
export function shortcuts(actions) {
  addEventListener("keydown", (event) => {
    if (
      event.defaultPrevented ||
      event.isComposing ||
      event.ctrlKey ||
      event.metaKey ||
      document.querySelector("dialog[open]")
    )
      return;
    const action = actions[named(event)];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function named({ key, code, altKey, target }) {
  // With Alt, some systems make another character of the key.
  if (altKey) return `Alt+${code.startsWith("Key") ? code.slice(3) : key}`;
  const writing = target.matches("textarea, input:not([type=radio])");
  return writing && key !== "Escape" ? null : key;
}
