#!/usr/bin/env bash
# A tool call, and what three libraries for Node send back as that call in the request that brings its result.
#
# Versions: openai 7.59.0, ai 7.0.173 with @ai-sdk/openai 4.0.118, langchain 1.5.14 with @langchain/openai 1.6.0 and
#   @langchain/core 1.4.0; on Node 24.21.0, since most of them want 22 or newer (npm).
# One would guess: the model's call goes back to it as the model wrote it: `arguments` is a string of JSON, it was
#   received whole, and nothing in between had a reason to change it.
# What happens: OpenAI's library does that. The AI SDK and LangChain keep only the parsed value and write it anew, as
#   JavaScript does: an identifier above 2^53 becomes that of something else, names that are whole numbers move to the
#   front, and spaces and `.0` are gone. So the model reads a call that it didn't make, and a server's cache of the
#   prompt ends there.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

echo '{}' >package.json
npm install --silent --no-audit --no-fund --force openai@7.59.0 ai@7.0.173 @ai-sdk/openai@4.0.118 \
  langchain@1.5.14 @langchain/openai@1.6.0 @langchain/core@1.4.0 node@24.21.0

cat >client.mjs <<'EOF'
import http from "node:http";
import { createOpenAI } from "@ai-sdk/openai";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, isStepCount, jsonSchema, tool } from "ai";
import { createAgent } from "langchain";
import OpenAI from "openai";

const made = '{"user": 9007199254740993, "10": "ten", "9": "nine", "share": 1.0}';
let returned;
const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { messages } = JSON.parse(Buffer.concat(chunks));
  const answered = messages.some((message) => message.role === "tool");
  if (answered) returned = messages.find((message) => message.tool_calls).tool_calls[0].function.arguments;
  const call = { id: "call_1", type: "function", function: { name: "store", arguments: made } };
  const message = { role: "assistant", content: answered ? "Done." : null, ...(answered ? {} : { tool_calls: [call] }) };
  const choices = [{ index: 0, message, finish_reason: answered ? "stop" : "tool_calls" }];
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "m", choices, usage }));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const settings = { apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` };

const number = { type: "number" };
const string = { type: "string" };
const properties = { user: { type: "integer" }, 10: string, 9: string, share: number };
const schema = { type: "object", properties, required: Object.keys(properties) };
const description = "Store a share.";
const messages = [{ role: "user", content: "Store it." }];
const clients = {
  openai: () => {
    const given = { name: "store", description, parameters: schema, parse: JSON.parse, function: () => "Stored." };
    const tools = [{ type: "function", function: given }];
    return new OpenAI(settings).chat.completions.runTools({ model: "m", messages, tools }).finalContent();
  },
  "AI SDK": () => {
    const store = tool({ description, inputSchema: jsonSchema(schema), execute: () => "Stored." });
    return generateText({ model: createOpenAI(settings).chat("m"), messages, tools: { store }, stopWhen: isStepCount(3) });
  },
  LangChain: () => {
    const store = langchainTool(() => "Stored.", { name: "store", description, schema });
    const model = new ChatOpenAI({ model: "m", apiKey: settings.apiKey, configuration: { baseURL: settings.baseURL } });
    return createAgent({ model, tools: [store] }).invoke({ messages });
  },
};
console.log(`the model's call: ${made}`);
for (const [name, ask] of Object.entries(clients)) {
  returned = undefined;
  await ask();
  console.log(`${name} returns: ${returned}`);
}
server.close();
server.closeAllConnections();
EOF

PATH="$dir/node_modules/.bin:$PATH" node client.mjs | tee seen
diff - seen <<'EOF'
the model's call: {"user": 9007199254740993, "10": "ten", "9": "nine", "share": 1.0}
openai returns: {"user": 9007199254740993, "10": "ten", "9": "nine", "share": 1.0}
AI SDK returns: {"9":"nine","10":"ten","user":9007199254740992,"share":1}
LangChain returns: {"9":"nine","10":"ten","user":9007199254740992,"share":1}
EOF
