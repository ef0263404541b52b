// Reads one stream with a library and prints one JSON object a line, for each event, and {"over": true} at the end:
// node sse_client.mjs LIBRARY URL. What a library or JSON.parse throws ends the script with a failure.
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource as NpmEventSource } from "eventsource";
import OpenAI from "openai";
import { EventSource as UndiciEventSource } from "undici";

const [library, url] = process.argv.slice(2);
const print = (what) => console.log(JSON.stringify(what));
const over = () => {
  print({ over: true });
  process.exit(0);
};

function take(data) {
  const frame = JSON.parse(data);
  print(frame.data);
  return frame.data.done;
}

async function byFetchEventSource(init) {
  // It is for browsers.
  globalThis.window = globalThis;
  const closed = new AbortController();
  await fetchEventSource(url, {
    openWhenHidden: true,
    signal: closed.signal,
    onmessage: (event) => {
      if (take(event.data)) over();
    },
    onerror: (error) => {
      if (error instanceof SyntaxError) throw error;
    },
    ...init,
  });
}

function byEventSource(Kind) {
  // undici's pause before it reconnects keeps no process alive.
  setInterval(() => {}, 1000);
  const stream = new Kind(url);
  stream.onmessage = (event) => {
    if (take(event.data)) over();
  };
}

async function byOpenAI(headers) {
  const client = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0, defaultHeaders: headers });
  const messages = [{ role: "user", content: "slow" }];
  for await (const chunk of await client.chat.completions.create({ model: "bing-balanced", messages, stream: true })) {
    print({ answer: chunk.choices[0].delta.content ?? "", done: false });
  }
  over();
}

const body = new URLSearchParams({ style: "balanced", question: "slow" });
await {
  "fetch-event-source GET": () => byFetchEventSource({}),
  "fetch-event-source POST": () => byFetchEventSource({ method: "POST", body }),
  eventsource: () => byEventSource(NpmEventSource),
  undici: () => byEventSource(UndiciEventSource),
  openai: () => byOpenAI({}),
  "openai with Accept": () => byOpenAI({ Accept: "text/event-stream" }),
}[library]();
