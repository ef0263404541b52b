/** Questions of the page's own, each in a dialog. A language that is chosen while one is open reaches it. */

import { $, make } from "./element.js";
import { choice, choose } from "./choices.js";
import { label, language, say, text } from "./language.js";

/** Show a dialog named `title`; resolves with what `value()` gives if it was agreed to, else with null. */
function open(title, content, { agree = null, danger = false, value = () => true } = {}) {
  const heading = text(make("h2", { id: "dialog-title" }), title);
  const form = make("form", { method: "dialog" }, heading, ...content);
  const dialog = make("dialog", { "aria-labelledby": "dialog-title" }, form);
  const cancel = text(make("button", { type: "button" }), agree ? "cancel" : "close");
  cancel.addEventListener("click", () => dialog.close());
  const buttons = make("div", { className: "buttons" }, cancel);
  if (agree) buttons.append(text(make("button", { className: danger ? "danger" : "primary", value: "yes" }), agree));
  form.append(buttons);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? value() : null);
      dialog.remove();
    });
  });
}

/** Another title, or null. */
export function askTitle(title) {
  const input = make("input", { type: "text", value: title, maxLength: 200, required: true });
  const field = make("label", { className: "field" }, text(make("span"), "title"), input);
  const answer = open("renameTitle", [field], { agree: "save", value: () => input.value.trim() || null });
  input.select();
  return answer;
}

/** Whether the conversation may go. */
export function askRemoval(title) {
  return open("removeTitle", [text(make("p"), "removeText", title)], { agree: "delete", danger: true });
}

/** An API key as `{key, remember}`, or null; `wrong` if one was sent already. */
export function askKey(wrong) {
  const input = make("input", { type: "password", autocomplete: "off", required: true });
  const remember = make("input", { type: "checkbox" });
  const content = [
    text(make("p"), wrong ? "keyWrong" : "keyText"),
    make("label", { className: "field" }, text(make("span"), "key"), input),
    make("label", { className: "check" }, remember, text(make("span"), "remember")),
  ];
  const value = () => ({ key: input.value.trim(), remember: remember.checked });
  return open("needKey", content, { agree: "save", value });
}

/** In which form to export, "md" or "json", or null. */
export function askFormat() {
  const formats = [
    ["md", "Markdown"],
    ["json", "JSON"],
  ];
  const format = choices("format", "export", formats, "md", () => null);
  const value = () => format.querySelector("input:checked").value;
  return open("export", [text(make("p"), "exportText"), format], { agree: "save", value });
}

/** Language and appearance; `changed()` is called after each choice. */
export function preferences(changed) {
  const languages = [
    ["en", "English"],
    ["zh", "中文"],
  ];
  const themes = ["auto", "light", "dark"].map((name) => [name, null]);
  return open("preferences", [
    text(make("h3"), "language"),
    choices("language", "language", languages, language(), (name) => (choose("language", name), changed())),
    text(make("h3"), "theme"),
    choices(
      "theme",
      "theme",
      themes,
      choice("theme", "auto"),
      (name) => (choose("theme", name === "auto" ? null : name), changed()),
    ),
  ]);
}

/** The keys, and what else there is to know. */
export function help() {
  if ($("dialog-title")) return null;
  const rows = say("keys").map(([key], number) =>
    make("tr", {}, make("th", { scope: "row" }, ...keycaps(key)), text(make("td"), "keyMeaning", number)),
  );
  return open("help", [
    make("table", { className: "keys" }, make("tbody", {}, ...rows)),
    text(make("p"), "helpText"),
  ]);
}

function keycaps(key) {
  return key
    .split(" ")
    .map((part) => (part === "+" || (part === "/" && key !== "/") ? ` ${part} ` : make("kbd", { textContent: part })));
}

/** A choice named `word` among `values`, each [value, its text]; without a text it is the word of its own name. */
function choices(name, word, values, chosen, act) {
  const group = label(make("div", { className: "segments", role: "radiogroup" }), word);
  for (const [value, fixed] of values) {
    const input = make("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => act(value));
    group.append(make("label", {}, input, fixed ? make("span", { textContent: fixed }) : text(make("span"), value)));
  }
  return group;
}
