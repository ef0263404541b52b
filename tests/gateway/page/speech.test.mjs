import assert from "node:assert/strict";
import { test } from "node:test";
import { Speech } from "../../../gateway/page/js/speech.js";

const SENTENCE = "This is a sentence that is long enough to be told once there are a few. ";

test("whole sentences are told, in portions, and nothing twice", () => {
  const speech = new Speech();
  const text = SENTENCE.repeat(8).trim();
  const told = [];
  for (let end = 1; end <= text.length; end += 1) told.push(speech.next(text.slice(0, end)));
  told.push(speech.next(text, true));
  const said = told.filter(Boolean);
  assert.equal(said.join(" "), text);
  assert.ok(said.length <= 4);
  for (const portion of said) assert.match(portion, /\.$/);
});

test("a short answer is told at its end", () => {
  const speech = new Speech();
  assert.equal(speech.next("Yes. "), "");
  assert.equal(speech.next("Yes. No", true), "Yes. No");
  assert.equal(speech.next("Yes. No", true), "");
});

test("Chinese sentences end too", () => {
  const text = "这是一个句子。".repeat(40);
  assert.equal(new Speech().next(`${text}还没`), text);
});

test("marks of Markdown and addresses aren't told", () => {
  assert.equal(
    new Speech().next("**Bold** and `code`, [a link](https://example.org/x).", true),
    "Bold and code , a link.",
  );
});

test("an answer that was taken back begins again", () => {
  const speech = new Speech();
  speech.next("A longer text. ".repeat(20));
  assert.equal(speech.next("Short.", true), "Short.");
});

// In quadratic time each of them would take minutes.
test("marks that close nothing take no time", () => {
  for (const mark of ["[", "![a", "[](", "[a](b", "[a]((", " ", "*"])
    assert.notEqual(new Speech().next(`x${mark.repeat(1_000_000)}`, true), "", mark);
});
