// Shows the shapes of a document, and everything else in it that refers to a shape.
import { element } from "/docs/element.js";
import { code, inline } from "/docs/markdown.js";

/** What a `$ref` leads to; anything else is itself. */
export function resolved(found, node) {
  if (!node?.$ref) return node;
  return resolved(found, node.$ref.slice(2).split("/").reduce(
    (at, step) => at?.[step.replaceAll("~1", "/").replaceAll("~0", "~")], found));
}

const nameOf = (node) => node?.$ref?.split("/").pop() ?? null;
const shown = (value) => JSON.stringify(value);

/** A shape in a few words. */
function kind(found, node) {
  if (node.$ref) return nameOf(node);
  if ("const" in node) return shown(node.const);
  if (node.enum) return node.enum.map(shown).join(" | ");
  const options = node.oneOf ?? node.anyOf;
  if (options) return options.map((one) => kind(found, one)).join(" or ");
  if (node.type === "array") return `list of ${node.items ? kind(found, node.items) : "anything"}`;
  return [node.type ?? "anything"].flat().join(" or ");
}

const LIMITS = {
  minimum: "at least", maximum: "at most", minLength: "shortest", maxLength: "longest", minItems: "fewest", maxItems: "most",
  pattern: "like", default: "default",
};
const limits = (node) => Object.entries(LIMITS).filter(([name]) => name in node)
  .map(([name, words]) => `${words} ${node[name]}`).join(", ");

/** One field: name, kind, what is said of it, and what is in it. */
function field(found, name, node, required) {
  return element("li", {},
    element("code", { class: "name" }, name), required ? null : element("span", { class: "optional" }, "optional"),
    element("span", { class: "kind" }, kind(found, node)), limits(node) ? element("span", { class: "limits" }, limits(node)) : null,
    node.description ? element("span", { class: "said" }, ...inline(node.description)) : null,
    inside(found, node));
}

function inside(found, node) {
  if (node.$ref) {
    const name = nameOf(node);
    return element("details", {}, element("summary", {}, name), shape(found, resolved(found, node)));
  }
  if (node.properties) return fields(found, node);
  if (node.items) return inside(found, node.items);
  const options = (node.oneOf ?? node.anyOf ?? []).map((one) => inside(found, one)).filter(Boolean);
  if (node.contentSchema) options.push(inside(found, node.contentSchema));
  return options.length ? element("div", { class: "options" }, options) : null;
}

function fields(found, node) {
  return element("ul", { class: "fields" }, Object.entries(node.properties).map(
    ([name, one]) => field(found, name, one, node.required?.includes(name))));
}

/** A shape as a tree. */
export function shape(found, node) {
  const content = inside(found, node);
  if (content?.tagName === "DETAILS") content.open = true;
  return element("div", { class: "shape" }, node.description && !node.$ref ? element("p", {}, ...inline(node.description)) : null,
    content ?? element("p", {}, element("span", { class: "kind" }, kind(found, node))));
}

/** Examples of a media type: one, or several by their names. */
export function examples(content) {
  const named = Object.entries(content.examples ?? {}).map(([name, one]) => [one.summary ?? name, one.value]);
  if ("example" in content) named.push(["example", content.example]);
  return named.map(([name, value]) => element("figure", {}, element("figcaption", {}, name), code(pretty(value), "json")));
}

/** JSON for people; text as it is. */
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** A table of parameters or headers: [name, where, required, node]. */
export function listed(found, rows, caption) {
  if (!rows.length) return null;
  return element("div", { class: "listed" }, element("h3", { class: "label" }, caption), element("ul", { class: "fields" },
    rows.map(({ name, where, required, node }) => element("li", {},
      element("code", { class: "name" }, name), where ? element("span", { class: "where" }, where) : null,
      required ? null : element("span", { class: "optional" }, "optional"),
      element("span", { class: "kind" }, kind(found, node.schema ?? {})),
      element("span", { class: "said" }, ...inline(node.description ?? ""))))));
}
