// Copies what a block shows.
import { element } from "/docs/element.js";

const SHOWN = 2000;
const REFUSED = "This browser doesn't allow a page to copy. The text is selected: press Ctrl+C, or ⌘C.";

/** A button that copies the text of `block`, and says whether it did. */
export function copyButton(block) {
  const button = element("button", { type: "button", class: "copy" }, "Copy");
  let timer = 0;
  button.addEventListener("click", async () => {
    const copied = await copy(block);
    announce(copied ? "Copied" : REFUSED, copied ? SHOWN : 4 * SHOWN);
    button.textContent = copied ? "Copied" : "Selected";
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = "Copy"; }, SHOWN);
  });
  return button;
}

/** Copy the text of `block`; true if that is allowed. If it isn't, the text is selected. */
async function copy(block) {
  try {
    // Not there without a secure context, as on plain HTTP from another machine.
    await navigator.clipboard.writeText(block.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(block);
    return document.execCommand("copy");
  }
}

/** Show a message for a while; screen readers read it out. */
function announce(text, shown) {
  const place = document.getElementById("announcer");
  clearTimeout(announce.timer);
  place.textContent = "";
  // The same text twice in a row is read out only if the place was empty between.
  requestAnimationFrame(() => { place.textContent = text; });
  announce.timer = setTimeout(() => { place.textContent = ""; }, shown);
}
