// Fields of forms, each with its label.
import { element } from "/docs/element.js";

let count = 0;

/** An input with `attributes`, or a list of `options`, or with `rows` a text area: {node, input}. */
export function field(label, attributes, hint = "") {
  const id = `field-${(count += 1)}`;
  const input = control({ id, "aria-describedby": hint ? `${id}-hint` : null, ...attributes });
  const node = element("div", { class: "field" }, element("label", { for: id }, label), input,
    hint ? element("span", { class: "hint", id: `${id}-hint` }, hint) : null);
  return { node, input };
}

function control({ options, rows, value, ...attributes }) {
  if (rows) return element("textarea", { rows, spellcheck: "false", ...attributes }, value);
  if (!options) return element("input", { spellcheck: "false", value, ...attributes });
  const made = element("select", attributes, options.map((one) => element("option", { value: one }, one || "–")));
  made.value = value;
  return made;
}

/** A button. */
export function button(text, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  if (act) made.addEventListener("click", act);
  return made;
}

/** "Try it", folded up; `form` makes what is in it, once it is opened. */
export function folded(form) {
  const node = element("details", { class: "try" }, element("summary", {}, "Try it"));
  node.addEventListener("toggle", () => node.childElementCount === 1 && node.append(form()));
  return node;
}
