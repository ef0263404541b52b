import assert from "node:assert/strict";
import { test } from "node:test";

import { status } from "../../../gateway/page/js/status.js";

const running = { state: "running", kind: "chat", text: "" };

test("a question that waits without a worker says what is missing, not its place", () => {
  assert.deepEqual(status(running, { phase: "noWorker" }), ["warning", "noWorker"]);
  assert.deepEqual(status(running, { phase: "queued", position: 3, wait: 60 }), ["clock", "queued", 3, 60]);
});

test("a question that was refused without a worker says why, and not that the service is busy", () => {
  const failed = (reason) => ({ state: "failed", text: "", error: { code: 503, message: "", reason, until: null } });
  assert.deepEqual(status(failed("worker.none")), ["warning", "noWorker"]);
  assert.deepEqual(status(failed("queue.full")), ["clock", "fullSoon"]);
});

test("where no account can be used the reader learns that, and when to ask again", () => {
  const failed = (until) => ({ state: "failed", text: "", error: { code: 503, message: "", reason: "account.none", until } });
  assert.deepEqual(status(failed(1000)), ["warning", "noAccount", 1000]);
  assert.deepEqual(status(failed(null)), ["warning", "noAccountSoon"]);
});
