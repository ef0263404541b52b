import assert from "node:assert/strict";
import { test } from "node:test";
import { bounds } from "../../../gateway/page/js/bounds.js";
import MarkdownIt from "../../../gateway/page/vendor/markdown-it.mjs";

const plain = new MarkdownIt({ maxNesting: 40 });
const md = new MarkdownIt({ maxNesting: 40 }).use(bounds);

/** A table of so many columns, with `rows` below its head. */
function table(columns, rows) {
  return `${"|a".repeat(columns)}|\n${"|-".repeat(columns)}|\n${rows}`;
}

/** How many elements `text` becomes. */
function elements(text) {
  return md.render(text).match(/<[a-z]/g)?.length ?? 0;
}

test("ordinary tables are tables", () => {
  for (const text of [
    table(3, "|1|2|3|\n".repeat(100)),
    table(40, `${"|".repeat(41)}\n`.repeat(50)),
    table(6, "| one | two\n".repeat(50)),
    `${table(4, "| 1 | 2 | 3 | 4 |\n")}\`\`\`\n${"}\n".repeat(200)}\`\`\`\n`,
    `> ${table(3, "| 1\n").replaceAll("\n", "\n> ")}`,
    `- ${table(3, "| 1\n").replaceAll("\n", "\n  ")}`,
    "a | b | c\n-|-|-\n\nafter",
    "text\n| a | b | c |\n|---|:-:|--:|\n| `x \\| y` |",
  ])
    assert.equal(md.render(text), plain.render(text), text.slice(0, 60));
});

test("a table with more cells than characters is shown as text", () => {
  const text = table(1000, "|\n".repeat(65));
  assert.equal(md.render(`${text}\n# after`), `<p>${text.trim()}</p>\n<h1>after</h1>\n`);
  assert.ok(elements(`> ${text.replaceAll("\n", "\n> ")}`) < 10);
  assert.ok(elements(`- ${text.replaceAll("\n", "\n  ")}`) < 10);
  assert.ok(elements(`first\n${text}`) < 10);
});

const PARTS = ["|", "|\n", "|-", "-|", ":-", "a", "- ", "-\n", "> ", "1. ", "\n", "\n\n", "\\", "\\|", "`", " ", "    ", "\t"];
const KINDS = ["", "```\n", "[a]\n", "![a]", "[a][a] ", "*a*", "# a\n", "<http://a>", "~~a~~", "&amp;"];

test("whatever repeats, there are no more elements than characters", () => {
  const twos = PARTS.flatMap((one) => [...PARTS, ...KINDS].map((other) => one + other));
  for (const repeated of twos)
    for (const head of ["", table(100, ""), "[a]: http://b\n\n"]) {
      const text = head + repeated.repeat(1500 / repeated.length);
      assert.ok(elements(text) <= text.length, JSON.stringify([head.slice(0, 20), repeated]));
    }
});

test("tables behind one another take linear time", () => {
  md.render(`${"|||a\n|-|-|-\n".repeat(4000)}${"|\n".repeat(12_000)}`);
});

test("a long address that is used again and again is not there each time", () => {
  const text = `[a]: http://example.org/${"x".repeat(8000)} '${"y".repeat(2000)}'\n\n${"[a] ![a] ".repeat(1000)}`;
  assert.ok(plain.render(text).length > 18_000_000);
  const html = md.render(text);
  assert.ok(html.length < 300_000);
  assert.match(html, /<a href="http:\/\/example.org\/x{8000}" title="y{2000}">a<\/a>/);
  assert.equal(html.match(/>a<\/a>/g).length, 1000);
});

test("ordinary links lead where they should", () => {
  const text = `[a]: http://example.org/ "title"\n\n${"[a] ![a] [b](http://example.org/字字) ".repeat(400)}`;
  assert.equal(md.render(text), plain.render(text));
});
