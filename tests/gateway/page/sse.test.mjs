import assert from "node:assert/strict";
import { test } from "node:test";
import { events, place } from "../../../gateway/page/js/sse.js";

async function all(...pieces) {
  const found = [];
  for await (const event of events(pieces)) found.push(event);
  return found;
}

const STREAM = 'retry: 1000\nid: a.0\n\n: ping\n\ndata: {"x": "一\\n"}\nid: a.1\n\ndata: last\n\n';
const FOUND = [
  { id: "a.0", data: null },
  { id: "a.1", data: '{"x": "一\\n"}' },
  { id: null, data: "last" },
];

test("events are the same wherever the stream is cut", async () => {
  assert.deepEqual(await all(STREAM), FOUND);
  assert.deepEqual(await all(...STREAM), FOUND);
  for (let at = 0; at < STREAM.length; at += 1)
    assert.deepEqual(await all(STREAM.slice(0, at), STREAM.slice(at)), FOUND);
});

test("what is cut off within an event is no event", async () => {
  assert.deepEqual(await all("data: whole\n\ndata: ha"), [{ id: null, data: "whole" }]);
});

test("data of several lines is joined", async () => {
  assert.deepEqual(await all("data: a\ndata: b\n\n"), [{ id: null, data: "a\nb" }]);
});

test("a place is an answer's id and a number, and nothing else", () => {
  const answer = `s0-${"0123456789abcdef".repeat(2)}`;
  assert.deepEqual(place(`${answer}.17`), { answer, seq: 17 });
  for (const id of ["", answer, `${answer}.`, `${answer}.x`, "17", `../${answer}.1`]) assert.equal(place(id), null);
});
