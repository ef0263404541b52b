// Nothing is done before it was asked for twice.

import { byId } from "./dom.js";
import { w } from "./words.js";

let write = () => {};

/** Write the open dialog in the language that was chosen. */
export const relabelDialogs = () => write();

/** Ask whether to do it; `act` does it, and what it throws is shown where it was asked. True if it was done.
 *  `asked()` returns head, text, and the word of the button, in the language of then.
 */
export function confirm(asked, act) {
  const dialog = byId("confirm");
  const button = byId("confirm-yes");
  let problem = null;
  write = () => {
    const [head, text, yes] = asked();
    byId("confirm-head").textContent = head;
    byId("confirm-text").textContent = text;
    byId("confirm-problem").textContent = problem ? sentence(problem) : "";
    button.textContent = button.disabled ? w.working : yes;
  };
  const work = (begun) => {
    button.disabled = begun;
    write();
  };
  work(false);
  return new Promise((resolve) => {
    let done = false;
    button.onclick = async () => {
      work(true);
      try {
        await act();
        done = true;
        dialog.close();
      } catch (error) {
        problem = error;
        work(false);
      }
    };
    byId("confirm-no").onclick = () => dialog.close();
    dialog.onclose = () => {
      write = () => {};
      resolve(done);
    };
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

const sentence = (error) => (error.status === 404 ? w.gone : w.failed(error.message));

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
