"use strict";

const $ = (id) => document.getElementById(id);
let token = "";

function add(parent, tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  parent.append(element);
  return element;
}

/** The JSON documents in an event stream, as they arrive. */
async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) yield JSON.parse(event.replace(/^data: /, ""));
  }
}

async function* answer(style, question) {
  const response = await fetch("/api_stream", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ style, question, token }),
  });
  if (response.headers.get("Content-Type").startsWith("text/event-stream")) yield* frames(response.body);
  else yield await response.json();
}

function link(list, { title, url }) {
  if (!/^https?:/.test(url)) return;
  const anchor = add(add(list, "li"), "a", title || url);
  anchor.href = url;
  anchor.rel = "noreferrer";
  anchor.target = "_blank";
}

function finish(article, data) {
  token = data.token;
  if (data.urls.length) {
    const list = add(article, "ol");
    data.urls.forEach((url) => link(list, url));
  }
  if (data.reset) add(article, "small", "The next question begins a new conversation.");
}

async function show(style, question) {
  const article = add($("log"), "article");
  add(article, "h2", question);
  const text = add(article, "p");
  let ended = false;
  try {
    for await (const { code, message, data } of answer(style, question)) {
      ended = code !== 200 || data.done;
      if (code !== 200) add(article, "p", `${code} ${message}`, "error");
      else if (data.done) { text.textContent = data.answer; finish(article, data); }
      else text.textContent += data.answer;
      article.scrollIntoView({ block: "end" });
    }
    if (!ended) throw new Error("the stream broke off");
  } catch (error) {
    add(article, "p", String(error.message), "error");
  }
}

$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = $("question").value;
  if (!question.trim()) return;
  $("question").value = "";
  $("send").disabled = true;
  await show($("style").value, question);
  $("send").disabled = false;
  $("question").focus();
});

$("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
});

$("fresh").addEventListener("click", () => {
  token = "";
  $("log").replaceChildren();
});
