import assert from "node:assert/strict";
import { test } from "node:test";
import { indented } from "../../../gateway/page/js/arguments.js";

test("arguments that are JSON have a line for each field, and others stay as they are", () => {
  assert.equal(indented('{"a":1,"b":[]}'), '{\n  "a": 1,\n  "b": []\n}');
  assert.equal(indented('{"a":'), '{"a":');
  assert.equal(indented("ls -l"), "ls -l");
});
