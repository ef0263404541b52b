#!/usr/bin/env bash
# One stream of Anthropic's Messages API that ends too early, read by Anthropic's SDKs for Python and for Node.
#
# Versions: anthropic 2.14.0 (PyPI), @anthropic-ai/sdk 1.14.0 on Node 24.21.0 (npm).
# One would guess: the helpers that put a stream together raise when it ends before `message_stop`, within a text or
#   within a call of a tool; and whatever they do, both do the same.
# What happens: Node's `finalMessage()` throws. Python's `get_final_message()` returns the half as a message, whose
#   `stop_reason` is None, and a call whose arguments were cut off as one with the input `{}`. A loop over the events
#   sees a clean end in both.
set -Eeuo pipefail
export NO_PROXY=127.0.0.1

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check anthropic==2.14.0 2>pip.log || { cat pip.log; exit 2; }
echo '{}' >package.json
npm install --silent --no-audit --no-fund @anthropic-ai/sdk@1.14.0 node@24.21.0

cat >client.mjs <<'EOF'
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ apiKey: "none", baseURL: process.argv[2], maxRetries: 0 });
for (const model of process.argv.slice(3)) {
  const asked = { model, max_tokens: 100, messages: [{ role: "user", content: "Hello" }] };
  const final = async () => {
    const message = await client.messages.stream(asked).finalMessage();
    return `returned a message, stop_reason ${message.stop_reason}, ${JSON.stringify(message.content)}`;
  };
  const loop = async () => {
    let last;
    for await (const event of await client.messages.create({ ...asked, stream: true })) last = event;
    return `no exception, last event ${last.type}`;
  };
  for (const way of [loop, final]) {
    const outcome = await way().catch((error) => `${error.constructor.name}: ${error.message}`);
    console.log(`${model} | Node ${way.name} | ${outcome}`);
  }
}
EOF

cat >client.py <<'EOF'
import http.server
import json
import subprocess
import threading

import anthropic

USAGE = {"input_tokens": 1, "output_tokens": 1}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "remove", "input": {}}
DELTA = {"type": "text_delta", "text": "Half a"}
INPUT = {"type": "input_json_delta", "partial_json": '{"path": "/srv/old'}
START = {"type": "message_start", "message": {**MESSAGE, "stop_reason": None, "stop_sequence": None}}
BLOCKS = {
    "text": [({"type": "text", "text": ""}, DELTA)],
    "call": [(CALL, INPUT)],
}


def events(model):
    yield START
    for number, (block, delta) in enumerate(BLOCKS[model]):
        yield {"type": "content_block_start", "index": number, "content_block": block}
        yield {"type": "content_block_delta", "index": number, "delta": delta}


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events(model):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def log_message(self, *_): ...


def loop(client, asked):
    for event in client.messages.create(**asked, stream=True):
        last = event
    return f"no exception, last event {last.type}"


def final(client, asked):
    with client.messages.stream(**asked) as stream:
        message = stream.get_final_message()
    content = [block.model_dump(exclude_none=True) for block in message.content]
    return f"returned a message, stop_reason {message.stop_reason}, {json.dumps(content)}"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = anthropic.Anthropic(api_key="none", base_url=url, max_retries=0)
for model in BLOCKS:
    asked = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    for way in (loop, final):
        try:
            outcome = way(client, asked)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        print(f"{model} | Python {way.__name__} | {outcome}", flush=True)
subprocess.run(["node", "client.mjs", url, *BLOCKS], check=True, timeout=60)
EOF

PATH="$dir/node_modules/.bin:$PATH" venv/bin/python client.py | tee seen
diff - seen <<'EOF'
text | Python loop | no exception, last event content_block_delta
text | Python final | returned a message, stop_reason None, [{"text": "Half a", "type": "text"}]
call | Python loop | no exception, last event content_block_delta
call | Python final | returned a message, stop_reason None, [{"id": "toolu_1", "input": {}, "name": "remove", "type": "tool_use"}]
text | Node loop | no exception, last event content_block_delta
text | Node final | AnthropicError: stream ended without producing a Message with role=assistant
call | Node loop | no exception, last event content_block_delta
call | Node final | AnthropicError: stream ended without producing a Message with role=assistant
EOF
