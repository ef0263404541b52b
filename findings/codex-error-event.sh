#!/usr/bin/env bash
# The two ways in which a Responses stream reports an error, as Codex CLI takes them.
#
# Version: @openai/codex 0.171.0 (npm; some 400 MB on disk while this runs).
# One would guess: an `error` event and a `response.failed` event with the same code and message have the same effect:
#   a code that says that the prompt itself is at fault (`invalid_prompt`) ends the turn, and the message is shown.
# What happens: `response.failed` does just that. The `error` event is ignored: the stream counts as cut off, the whole
#   request is sent five times more, and then the message shown isn't the upstream's.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

echo '{}' >package.json
npm install --silent --no-audit --no-fund @openai/codex@0.171.0
mkdir home work

cat >run.mjs <<'EOF'
import http from "node:http";
import { spawn } from "node:child_process";
import { resolve } from "node:path";

const error = { code: "invalid_prompt", message: "This prompt is not allowed." };
const response = { id: "resp_1", object: "response", created_at: 1, model: "m", status: "in_progress", output: [] };
const ends = {
  "response.failed": { type: "response.failed", response: { ...response, status: "failed", error } },
  "error": { type: "error", ...error, param: null },
};

let end;
let requests;
const server = http.createServer((request, reply) => {
  request.resume();
  if (request.method !== "POST" || request.url !== "/v1/responses") return reply.writeHead(404).end();
  requests += 1;
  reply.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of [{ type: "response.created", response }, ends[end]]) {
    reply.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
  reply.end();
});
// It is Codex's proxy as well, so that nothing else is asked: not for plugins, not for updates.
server.on("connect", (_, socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;
const provider = `{name="fake", base_url="${origin}/v1", env_key="FAKE_KEY", wire_api="responses"}`;
const options = ["-c", 'model_provider="fake"', "-c", `model_providers.fake=${provider}`];
const variables = { HOME: resolve("home"), FAKE_KEY: "none", NO_PROXY: "127.0.0.1", HTTPS_PROXY: origin };

function codex() {
  const args = ["exec", "--skip-git-repo-check", "--ephemeral", "-s", "read-only", "-C", "work", "-m", "m"];
  const child = spawn("node_modules/.bin/codex", [...args, ...options, "Hello"], {
    env: { PATH: process.env.PATH, ...variables }, stdio: ["ignore", "ignore", "pipe"], timeout: 40_000,
  });
  let log = "";
  child.stderr.on("data", (chunk) => (log += chunk));
  return new Promise((ended) => child.on("close", (status) => ended({ status, log })));
}

for (end of Object.keys(ends)) {
  requests = 0;
  const { status, log } = await codex();
  const message = log.match(/^ERROR: .*/gm)?.at(-1);
  console.log(`${end} | requests: ${requests} | exit status ${status} | ${message}`);
}
server.close();
server.closeAllConnections();
EOF

node run.mjs | tee seen
diff - seen <<'EOF'
response.failed | requests: 1 | exit status 1 | ERROR: This prompt is not allowed.
error | requests: 6 | exit status 1 | ERROR: stream disconnected before completion: stream closed before response.completed
EOF
