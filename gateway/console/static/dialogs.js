// Nothing is done before it was asked for twice.

import { byId } from "./dom.js";
import { w } from "./words.js";

/** Ask whether to do it; `act` does it, and what it throws is shown where it was asked. True if it was done. */
export function confirm([head, text, yes], act) {
  const dialog = byId("confirm");
  byId("confirm-head").textContent = head;
  byId("confirm-text").textContent = text;
  byId("confirm-problem").textContent = "";
  const button = byId("confirm-yes");
  button.textContent = yes;
  button.disabled = false;
  return new Promise((resolve) => {
    let done = false;
    button.onclick = async () => {
      button.disabled = true;
      button.textContent = w.working;
      try {
        await act();
        done = true;
        dialog.close();
      } catch (error) {
        byId("confirm-problem").textContent = error.status === 404 ? w.gone : w.failed(error.message);
        button.textContent = yes;
        button.disabled = false;
      }
    };
    byId("confirm-no").onclick = () => dialog.close();
    dialog.onclose = () => resolve(done);
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

/** Have an export pasted; its account and its text, or null. It is nowhere in the page afterwards. */
export function askForExport(account) {
  const dialog = byId("adding");
  const name = byId("adding-name");
  const text = byId("adding-export");
  name.value = account;
  text.value = "";
  return new Promise((resolve) => {
    let found = null;
    byId("adding-form").onsubmit = (event) => {
      event.preventDefault();
      found = { name: name.value.trim(), export: text.value };
      dialog.close();
    };
    byId("adding-no").onclick = () => dialog.close();
    dialog.onclose = () => {
      text.value = "";
      resolve(found);
    };
    dialog.showModal();
    (account ? text : name).focus();
  });
}
