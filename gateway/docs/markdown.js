// The little Markdown that our own documents use, as elements; text never becomes markup.
import { copyButton } from "/docs/copy.js";
import { element } from "/docs/element.js";

/** Words with `code`, **stress** and [links](…). */
export function inline(text) {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\))/);
  return parts.filter(Boolean).map((part) => {
    if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return element("strong", {}, ...inline(part.slice(2, -2)));
    const link = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
    if (!link || !/^(https?:|\/|#)/.test(link[2])) return link ? link[1] : part;
    return element("a", { href: link[2] }, link[1]);
  });
}

/** A block of code that scrolls by itself, by keyboard too, and can be copied. */
export function code(text, language = "") {
  const block = element("pre", { tabindex: "0", "data-language": language }, element("code", {}, text));
  return element("div", { class: "code" }, block, copyButton(block));
}

/** Name of a heading in an address. */
export const slug = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");

/** The blocks of a document: headings, code, lists, tables, paragraphs. */
export function markdown(text) {
  const blocks = [];
  const lines = text.split("\n");
  const take = (belongs) => {
    const taken = [];
    while (lines.length && belongs(lines[0])) taken.push(lines.shift());
    return taken;
  };
  while (lines.length) {
    const line = lines[0];
    const heading = /^(#{1,4}) (.*)$/.exec(line);
    if (!line.trim()) lines.shift();
    else if (line.startsWith("```")) blocks.push(fenced(lines, take));
    else if (heading) {
      lines.shift();
      blocks.push(element(`h${heading[1].length + 1}`, { id: slug(heading[2]) }, ...inline(heading[2])));
    } else if (line.startsWith("|")) blocks.push(table(take((next) => next.startsWith("|"))));
    else if (line.startsWith("- ")) blocks.push(list(take((next) => /^(- |  )/.test(next))));
    else blocks.push(element("p", {}, ...inline(take((next) => next.trim() && !next.startsWith("```")).join(" "))));
  }
  return blocks;
}

function fenced(lines, take) {
  const language = lines.shift().slice(3).trim();
  const taken = take((next) => !next.startsWith("```"));
  lines.shift();
  return code(taken.join("\n"), language);
}

function list(taken) {
  const items = taken.join("\n").split(/\n(?=- )/).map((item) => item.slice(2).replace(/\n\s*/g, " "));
  return element("ul", {}, items.map((item) => element("li", {}, ...inline(item))));
}

function table(taken) {
  const cells = (row) => row.replace(/^\||\|$/g, "").split("|").map((cell) => inline(cell.trim()));
  const [head, , ...rows] = taken.map(cells);
  return element("div", { class: "wide", tabindex: "0" }, element("table", {},
    element("thead", {}, element("tr", {}, head.map((cell) => element("th", { scope: "col" }, ...cell)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, ...cell)))))));
}
