#!/usr/bin/env bash
# A streamed answer through Portkey's gateway on Node.
#
# Versions: @portkey-ai/gateway 1.15.2 (npm), with any Node from 20 on.
# One would guess: the gateway passes on an upstream's streamed completion as it does a whole one.
# What happens: the whole answer arrives; for the stream, which the upstream answers just as well, the client gets
#   status 500 and "Something went wrong". The gateway's log says `TypeError: immutable`: it adds its headers to the
#   response that fetch returned, and Node lets nobody change those. For a whole answer it makes a response of its own.
#   With a fetch that returns a copy of each response the stream arrives too.
set -Eeuo pipefail

dir=$(mktemp -d)
pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$dir"; }
trap stop EXIT
cd "$dir"

npm install --silent --no-audit --no-fund @portkey-ai/gateway@1.15.2 >npm.log 2>&1 || { cat npm.log; exit 2; }

# It would listen at every address.
cat >loopback.mjs <<'EOT'
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest.filter((one) => typeof one === "function"));
};
EOT
cat >copies.mjs <<'EOT'
const plain = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const answer = await plain(...request);
  return new Response(answer.body, answer);
};
EOT
cat >upstream.mjs <<'EOT'
import http from "node:http";

const chunk = { id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: "river" } }] };
const choice = { index: 0, message: { role: "assistant", content: "river" }, finish_reason: "stop" };
const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const streams = JSON.parse(body || "{}").stream;
  response.setHeader("content-type", streams ? "text/event-stream" : "application/json");
  const whole = { id: "1", object: "chat.completion", choices: [choice] };
  response.end(streams ? `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n` : JSON.stringify(whole));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
EOT
cat >ask.mjs <<'EOT'
const [gateway, upstream, label] = process.argv.slice(2);
const headers = {
  "content-type": "application/json",
  authorization: "Bearer none",
  "x-portkey-provider": "openai",
  "x-portkey-custom-host": `http://127.0.0.1:${upstream}/v1`,
};
for (let tries = 0; ; tries += 1) {
  try {
    await fetch(`http://127.0.0.1:${gateway}/`);
    break;
  } catch (error) {
    if (tries === 100) throw error;
    await new Promise((ready) => setTimeout(ready, 200));
  }
}
for (const stream of [false, true]) {
  const body = JSON.stringify({ model: "any", stream, messages: [{ role: "user", content: "What flows?" }] });
  const answer = await fetch(`http://127.0.0.1:${gateway}/v1/chat/completions`, { method: "POST", headers, body });
  const text = await answer.text();
  console.log(`${label} | stream: ${stream} | ${answer.status} | ${text.includes("river") ? "the answer" : text}`);
}
EOT

node upstream.mjs >port.log &
pids+=($!)
until [ -s port.log ]; do sleep 0.1; done
upstream=$(cat port.log)

gateway() {
  local port label=$1
  shift
  port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
  NODE_ENV=production node --import ./loopback.mjs "$@" node_modules/@portkey-ai/gateway/build/start-server.js \
    --headless "--port=$port" >"$label.log" 2>&1 &
  pids+=($!)
  node ask.mjs "$port" "$upstream" "$label"
}

gateway plain >seen.txt
gateway copies --import ./copies.mjs >>seen.txt
cat seen.txt
grep -o -m 1 'TypeError: immutable' plain.log

cat >expected.txt <<'EOT'
plain | stream: false | 200 | the answer
plain | stream: true | 500 | {"status":"failure","message":"Something went wrong"}
copies | stream: false | 200 | the answer
copies | stream: true | 200 | the answer
EOT
diff expected.txt seen.txt
