#!/usr/bin/env bash
# A server that says "don't ask again", and two clients of the same API for Node.
#
# Versions: ai 7.0.173 with @ai-sdk/openai 4.0.118, openai 7.59.0; on Node 24.21.0, since ai 7 wants 22 or newer (npm).
# One would guess: a 500 that carries OpenAI's header `x-should-retry: false` is not repeated by the AI SDK's provider
#   for OpenAI, as it isn't by OpenAI's own SDK.
# What happens: the AI SDK asks three times, over some six seconds. A server that has done the work before it failed
#   does it twice more, and can't prevent it.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

echo '{}' >package.json
npm install --silent --no-audit --no-fund ai@7.0.173 @ai-sdk/openai@4.0.118 openai@7.59.0 node@24.21.0

cat >client.mjs <<'EOF'
import http from "node:http";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";
import OpenAI from "openai";

let requests = 0;
let headers = {};
const error = { message: "Do not repeat.", type: "server_error", param: null, code: null };
const server = http.createServer((request, response) => {
  requests += 1;
  request.resume();
  response.writeHead(500, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error }));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const settings = { apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` };

const openai = new OpenAI(settings).chat.completions;
const model = createOpenAI(settings).chat("m");
const clients = {
  "openai": () => openai.create({ model: "m", messages: [{ role: "user", content: "Hello" }] }),
  "AI SDK": () => generateText({ model, prompt: "Hello" }),
};
for (const [name, ask] of Object.entries(clients)) {
  for (const value of [undefined, "false"]) {
    headers = value ? { "x-should-retry": value } : {};
    requests = 0;
    const outcome = await ask().then(() => "no exception", (error) => error.constructor.name);
    console.log(`${name} | x-should-retry: ${value ?? "absent"} | requests: ${requests} | ${outcome}`);
  }
}
server.close();
server.closeAllConnections();
EOF

PATH="$dir/node_modules/.bin:$PATH" node client.mjs | tee seen
diff - seen <<'EOF'
openai | x-should-retry: absent | requests: 3 | InternalServerError
openai | x-should-retry: false | requests: 1 | InternalServerError
AI SDK | x-should-retry: absent | requests: 3 | RetryError
AI SDK | x-should-retry: false | requests: 3 | RetryError
EOF
