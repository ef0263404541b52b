import assert from "node:assert/strict";
import { test } from "node:test";
import { pictureSources } from "../../../gateway/page/js/pictures.js";

const KEPT = "/pictures/s0-0a";

test("a picture that this server keeps is loaded by its path, whatever its scheme is", () => {
  const addresses = [`http://chat.example:8080${KEPT}`, `https://chat.example:8080${KEPT}`, KEPT];
  assert.deepEqual(pictureSources(addresses, "chat.example:8080"), [KEPT, KEPT, KEPT]);
});

test("a picture elsewhere is loaded from there", () => {
  const addresses = [`https://other.example${KEPT}`, `https://chat.example.evil${KEPT}`, "https://chat.example/th/1"];
  assert.deepEqual(pictureSources(addresses, "chat.example"), addresses);
});

test("what is no address of a picture is not shown", () => {
  const addresses = ["javascript:alert(1)", "//x/pictures/1", "data:text/html,x", "/api?question=x", ""];
  assert.deepEqual(pictureSources(addresses, "chat.example"), []);
});
