import assert from "node:assert/strict";
import { test } from "node:test";
import { LONGEST, settled } from "../../../gateway/page/js/blocks.js";
import MarkdownIt from "../../../gateway/page/vendor/markdown-it.mjs";

const md = new MarkdownIt();

function blocks(text) {
  const tokens = [];
  md.block.parse(text, md, {}, tokens);
  return tokens
    .filter(({ level, nesting }) => level === 0 && nesting >= 0)
    .map(({ type, map }) => ({ type, line: map[0] }));
}

/** The parts that `text` is settled in when it arrives in pieces of `size`. */
function parts(text, size) {
  const found = [];
  let tail = "";
  for (let at = 0; at < text.length; at += size) {
    tail += text.slice(at, at + size);
    for (let part; (part = settled(tail, blocks));) {
      found.push(tail.slice(0, part.at));
      tail = part.prefix + tail.slice(part.at);
      assert.ok(tail.length < LONGEST * 2 + size);
    }
  }
  return [...found, tail];
}

const TEXT = [
  "# Title",
  "A paragraph\nof two lines.",
  "1. one\n\n2. two\n   - inner\n\n   goes on\n\n3. three",
  "```js\nlet a = 1;\n\n# no title\n```",
  "| a | b |\n| --- | --- |\n| 1 | 2 |",
  "> quoted\n>\n> more",
  "Setext\n===",
  "- a\n- b\n\nThe end.\n",
].join("\n\n");

test("rendered in parts it is what it is as a whole, however it arrives", () => {
  const whole = md.render(TEXT);
  for (let size = 1; size < 60; size += 1)
    assert.equal(
      parts(TEXT, size)
        .map((part) => md.render(part))
        .join(""),
      whole,
      `pieces of ${size}`,
    );
});

test("nothing is settled before the next block has a whole line", () => {
  assert.equal(settled("1. a\n\n2", blocks), null);
  assert.equal(settled("text\n\n", blocks), null);
  assert.equal(settled("text\n\nnext", blocks), null);
  assert.deepEqual(settled("text\n\nnext\n", blocks), { at: 6, prefix: "", joined: false });
});

test("a block of code that grows long is parted at a line, and goes on as code", () => {
  const lines = Array.from({ length: 3000 }, (_, number) => `line ${number}\n`).join("");
  const found = parts(`\`\`\`js\n${lines}\`\`\`\n\nafter\n`, 700);
  const code = found.filter((part) => part.startsWith("```js\n"));
  assert.ok(code.length > 2);
  assert.equal(code.map((part) => part.slice(6).replace(/```\n*$/, "")).join(""), lines);
});

test("a table that grows long has its head again", () => {
  const found = parts(`| a | b |\n|---|---|\n${"| 1 | 2 |\n".repeat(3000)}`, 500);
  assert.ok(found.length > 2);
  for (const part of found) assert.match(part, /^\| a \| b \|\n\|---\|---\|\n/);
});

test("a long list is parted between items", () => {
  const found = parts(Array.from({ length: 2000 }, (_, number) => `${number + 1}. item\n   goes on\n`).join(""), 300);
  assert.ok(found.length > 2);
  for (const part of found) assert.match(part, /^\d+\. item\n/);
});

test("a line of a million characters is parted, but not within a character", () => {
  const text = "😀".repeat(500_000);
  const found = parts(text, 100_001);
  assert.equal(found.join(""), text);
  assert.ok(found.length > 50);
  for (const part of found.slice(0, -1)) assert.doesNotMatch(part, /[\ud800-\udbff]$/);
});

test("a block of code whose first line is long goes on as code, in its language", () => {
  const found = parts(`\`\`\`${"x".repeat(15_000)}\n${"y".repeat(30_000)}`, 11_500);
  assert.ok(found.length > 2);
  for (const part of found) assert.match(part, /^```x{2000}/);
  assert.match(found.map((part) => part.replace(/^```x+\n?/, "")).join(""), /y{30000}$/);
});

test("empty lines before a block of code are no part of it", () => {
  const lines = "let a = 1;\n".repeat(3000);
  const found = parts(`\n\n\`\`\`js\n${lines}`, 5000);
  for (const part of found.slice(1)) assert.match(part, /^```js\nlet/);
});

/** Numbers from 0 to 1 that are the same each time. */
function numbers(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

const STARTS = ["```", "~~~js ", "| a | b\n|-|-|\n| ", "- ", "1. ", "> ", "[a]: https://example.org/", "$$\n", "# ", "    ", ""];
const FILLS = ["x", "`", "~", "|", "|\n", "a b ", "a\n", "\n", "- a\n", "```\n", "[a]: b\n", "😀"];

test("each step makes the rest shorter, whatever comes in whatever pieces", () => {
  const next = numbers(7);
  const choice = (list) => list[Math.floor(next() * list.length)];
  for (let round = 0; round < 100; round += 1) {
    let text = "";
    for (let part = 0; part < 3; part += 1)
      text += choice(STARTS) + choice(FILLS).repeat(next() * 16_000) + choice(["", "\n", "\n\n"]);
    const size = 1 + Math.floor(next() * LONGEST);
    let tail = "";
    for (let at = 0; at < text.length; at += size) {
      tail += text.slice(at, at + size);
      for (let part; (part = settled(tail, blocks));) {
        assert.ok(part.at > part.prefix.length, JSON.stringify([text.slice(0, 50), size, part.at, part.prefix.length]));
        tail = part.prefix + tail.slice(part.at);
      }
      assert.ok(tail.length <= LONGEST);
    }
  }
});
