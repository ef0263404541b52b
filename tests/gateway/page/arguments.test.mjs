import assert from "node:assert/strict";
import { test } from "node:test";
import { indented } from "../../../gateway/page/js/arguments.js";

test("arguments that are JSON have a line for each field, and others stay as they are", () => {
  assert.equal(indented('{"a":1,"b":[]}'), '{\n  "a": 1,\n  "b": []\n}');
  assert.equal(indented('{"a":'), '{"a":');
  assert.equal(indented("ls -l"), "ls -l");
});

test("arguments whose indents would be longer than they are stay as they are", () => {
  const nested = (depth) => `${"[".repeat(depth)}1,2${"]".repeat(depth)}`;
  assert.ok(indented(nested(20)).includes("\n"));
  assert.ok(indented(`{"a":${nested(19)}}`).includes("\n"));
  for (const deep of [nested(21), `{"a":${nested(20)}}`, nested(3000)]) assert.equal(indented(deep), deep);
  const long = JSON.stringify(Array(60_000).fill(1));
  assert.equal(indented(long), long);
});
