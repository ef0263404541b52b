/** Questions of the page's own, each in a dialog. */

import { $, make } from "./element.js";
import { choice, choose } from "./choices.js";
import { language, say } from "./language.js";

/** Show a dialog; resolves with what `value()` gives if it was agreed to, else with null. */
function open(title, content, { agree = null, danger = false, value = () => true } = {}) {
  const heading = make("h2", { id: "dialog-title", textContent: title });
  const form = make("form", { method: "dialog" }, heading, ...content);
  const dialog = make("dialog", { "aria-labelledby": "dialog-title" }, form);
  const cancel = make("button", { type: "button", textContent: say(agree ? "cancel" : "close") });
  cancel.addEventListener("click", () => dialog.close());
  const buttons = make("div", { className: "buttons" }, cancel);
  if (agree)
    buttons.append(make("button", { className: danger ? "danger" : "primary", textContent: agree, value: "yes" }));
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
  const label = make("label", { className: "field" }, make("span", { textContent: say("title") }), input);
  const answer = open(say("renameTitle"), [label], { agree: say("save"), value: () => input.value.trim() || null });
  input.select();
  return answer;
}

/** Whether the conversation may go. */
export function askRemoval(title) {
  return open(say("removeTitle"), [make("p", { textContent: say("removeText", title) })], {
    agree: say("delete"),
    danger: true,
  });
}

/** An API key as `{key, remember}`, or null; `wrong` if one was sent already. */
export function askKey(wrong) {
  const input = make("input", { type: "password", autocomplete: "off", required: true });
  const remember = make("input", { type: "checkbox" });
  const content = [
    make("p", { textContent: say(wrong ? "keyWrong" : "keyText") }),
    make("label", { className: "field" }, make("span", { textContent: say("key") }), input),
    make("label", { className: "check" }, remember, say("remember")),
  ];
  const value = () => ({ key: input.value.trim(), remember: remember.checked });
  return open(say("needKey"), content, { agree: say("save"), value });
}

/** In which form to export, "md" or "json", or null. */
export function askFormat() {
  const format = choices(
    "format",
    say("export"),
    [
      ["md", "Markdown"],
      ["json", "JSON"],
    ],
    "md",
    () => null,
  );
  const value = () => format.querySelector("input:checked").value;
  return open(say("export"), [make("p", { textContent: say("exportText") }), format], { agree: say("save"), value });
}

/** Language and appearance; `changed()` is called after each choice. */
export function preferences(changed) {
  const languages = [
    ["en", "English"],
    ["zh", "中文"],
  ];
  const themes = ["auto", "light", "dark"].map((name) => [name, say(name)]);
  return open(say("preferences"), [
    make("h3", { textContent: say("language") }),
    choices("language", say("language"), languages, language(), (name) => (choose("language", name), changed())),
    make("h3", { textContent: say("theme") }),
    choices(
      "theme",
      say("theme"),
      themes,
      choice("theme", "auto"),
      (name) => (choose("theme", name === "auto" ? null : name), changed()),
    ),
  ]);
}

/** The keys, and what else there is to know. */
export function help() {
  if ($("dialog-title")) return null;
  const rows = say("keys").map(([key, does]) =>
    make("tr", {}, make("th", { scope: "row" }, ...keycaps(key)), make("td", { textContent: does })),
  );
  return open(say("help"), [
    make("table", { className: "keys" }, make("tbody", {}, ...rows)),
    make("p", { textContent: say("helpText") }),
  ]);
}

function keycaps(key) {
  return key
    .split(" ")
    .map((part) => (part === "+" || (part === "/" && key !== "/") ? ` ${part} ` : make("kbd", { textContent: part })));
}

function choices(name, label, values, chosen, act) {
  const group = make("div", { className: "segments", role: "radiogroup", "aria-label": label });
  for (const [value, text] of values) {
    const input = make("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => act(value));
    group.append(make("label", {}, input, make("span", { textContent: text })));
  }
  return group;
}
