import assert from "node:assert/strict";
import { test } from "node:test";
import { visible } from "../../../gateway/page/js/bidi.js";
import { fail, finish, newExchange, unanswered, unique } from "../../../gateway/page/js/exchange.js";
import { asJson, asMarkdown } from "../../../gateway/page/js/save.js";
import { status } from "../../../gateway/page/js/status.js";
import { pause } from "../../../gateway/page/js/wait.js";
import { WORDS } from "../../../gateway/page/js/words.js";

const conversation = { id: "c", title: "A\ntitle", created: 0, token: "t", style: "precise" };
const asked = () => newExchange(conversation, "chat", "why?");
const failed = (error, text = "") => {
  const exchange = Object.assign(asked(), { text });
  fail(exchange, error);
  return status(exchange);
};

test("a new question has a key of its own and the conversation's token", () => {
  const exchange = asked();
  assert.equal(exchange.token, "t");
  assert.match(exchange.key, /^[0-9a-f]{32}$/);
  assert.notEqual(exchange.key, asked().key);
  assert.notEqual(unique(), unique());
});

test("an end takes over what the gateway tells, and keeps text that it lacks", () => {
  const exchange = Object.assign(asked(), { text: "half" });
  const error = { code: 500, message: "m", reason: "interrupted", retry_after: null };
  finish(exchange, { ...unanswered(), state: "failed", error, reset: true, token: "next" });
  assert.equal(exchange.state, "failed");
  assert.equal(exchange.text, "half");
  assert.equal(exchange.given, "next");
  assert.deepEqual(status(exchange), ["warning", "interrupted"]);
});

test("a question keeps the model that was asked, and its end the one that answered", () => {
  const chosen = { ...conversation, model: "org/m" };
  const exchange = newExchange(chosen, "chat", "why?");
  assert.equal(exchange.model, "org/m");
  assert.equal(newExchange(chosen, "image", "a cat").model, null);
  const calls = [{ id: "c", name: "f", arguments: "{}" }];
  finish(exchange, { ...unanswered(), state: "done", model: "m-2", reasoning: "hm", tool_calls: calls });
  assert.deepEqual([exchange.by, exchange.reasoning, exchange.calls], ["m-2", "hm", calls]);
  assert.match(asJson({ title: "t", created: 0 }, [exchange], String), /"model": "m-2"/);
});

test("the end of an answer that was stopped keeps the reasoning so far", () => {
  const exchange = Object.assign(asked(), { reasoning: "half a thought" });
  finish(exchange, { ...unanswered(), state: "stopped", reset: false });
  assert.equal(exchange.reasoning, "half a thought");
});

test("a model that is unknown or away is named by the gateway's own sentence", () => {
  for (const [code, reason] of [[404, "model.unknown"], [503, "model.away"]]) {
    const error = { code, reason, message: "no such model" };
    assert.deepEqual(failed(error), ["warning", "failed", code, { reason, message: "no such model" }]);
  }
});

test("a stopped answer resets the conversation where the gateway says so", () => {
  for (const reset of [true, false]) {
    const exchange = asked();
    finish(exchange, { ...unanswered(), state: "stopped", text: "so far", reset });
    assert.equal(exchange.reset, reset);
    assert.deepEqual(status(exchange), ["stop", "stopped"]);
  }
});

test("each failure has a word, and a time where there is one", () => {
  const [, word, until] = failed({ code: 120, message: "已上限,24小时后尝试", retry_after: 60 });
  assert.equal(word, "cooling");
  assert.ok(Math.abs(until - Date.now() - 60_000) < 5000);
  assert.deepEqual(failed({ code: 120, message: "" }), ["clock", "coolingSoon"]);
  assert.equal(failed({ code: 429, message: "", retry_after: 9 })[1], "full");
  assert.equal(failed({ code: 503, message: "" })[1], "fullSoon");
  assert.equal(failed({ code: 404, message: "" })[1], "gone");
  assert.equal(failed({ code: 401, message: "" })[1], "needKey");
  assert.equal(failed({ code: 500, message: "", reason: "timeout.first" })[1], "late");
  assert.equal(failed({ code: 500, message: "x" }, "half")[1], "interrupted");
  assert.deepEqual(failed({ code: 500, message: "未知错误" }), ["warning", "failed", 500, "未知错误"]);
  const reason = "upstream.internal";
  assert.deepEqual(failed({ code: 500, message: "m", reason }), ["warning", "failed", 500, { reason, message: "m" }]);
});

test("what goes on has a word until there is text", () => {
  const exchange = asked();
  assert.deepEqual(status(exchange, { phase: "queued", position: 3, wait: 8.4 }), ["clock", "queued", 3, 8]);
  assert.deepEqual(status(exchange, { phase: "queued", position: 0, wait: null }), ["clock", "forAccount"]);
  assert.deepEqual(status(exchange, { phase: "thinking" }), [null, "thinking"]);
  exchange.text = "so far";
  assert.equal(status(exchange, { phase: "writing" }), null);
  assert.deepEqual(status(exchange, { phase: "lost" }), ["warning", "lost"]);
});

test("both languages have the same words", () => {
  assert.deepEqual(Object.keys(WORDS.zh).sort(), Object.keys(WORDS.en).sort());
  for (const [word, said] of Object.entries(WORDS.en)) assert.equal(typeof WORDS.zh[word], typeof said, word);
});

test("pauses grow up to a bound, and differ", () => {
  assert.ok(pause(1, 0) < pause(2, 0));
  assert.ok(pause(1, 0) < pause(1, 1));
  assert.ok(pause(50, 1) <= 8000);
});

test("overrides of direction are shown by name, other text is left alone", () => {
  assert.equal(visible("a\u202egnp\u202c عربي"), "a[U+202E]gnp[U+202C] عربي");
});

test("an export has what was said, and no token or key", () => {
  const exchange = Object.assign(asked(), {
    state: "done",
    text: "Because.",
    urls: [{ title: "T", url: "https://example.org/" }],
  });
  const markdown = asMarkdown(conversation, [exchange]);
  assert.equal(markdown, "# A title\n\n## why?\n\nBecause.\n\n1. [T](https://example.org/)\n");
  const json = asJson(conversation, [exchange]);
  assert.equal(JSON.parse(json).exchanges[0].answer, "Because.");
  assert.ok(!json.includes(exchange.key));
  assert.ok(!/token|"t"/.test(json));
});

test("an export has a failure's sentence in the page's language", () => {
  const exchange = asked();
  fail(exchange, { code: 500, message: "未知错误", reason: "internal" });
  const sentence = ({ reason }) => `for ${reason}`;
  assert.ok(asMarkdown(conversation, [exchange], sentence).includes("*500 for internal*"));
  const { error } = JSON.parse(asJson(conversation, [exchange], sentence)).exchanges[0];
  assert.deepEqual(error, { code: 500, message: "for internal" });
});
