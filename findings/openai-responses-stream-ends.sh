#!/usr/bin/env bash
# One Responses stream that ends in failure, read by OpenAI's SDKs for Python and for Node.
#
# Versions: openai 3.57.0 (PyPI), openai 7.59.0 on Node 24.21.0 (npm).
# One would guess: both SDKs raise when the stream ends in an `error` event, in `response.failed`, or in nothing at all,
#   as they do for an error within a stream of chat completions; and whatever they do, both do the same.
# What happens: an `error` event is thrown by Node and handed over as an ordinary event by Python, which looks only for
#   a field `error` that this event hasn't. `response.failed` and a cut stream raise nothing in either: a loop that
#   prints the deltas sees half a text and a clean end. Asked for the final response of such a stream, Python's
#   `responses.stream()` raises without the upstream's words; Node's returns one, of a cut stream as `in_progress`.
set -Eeuo pipefail
export NO_PROXY=127.0.0.1

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openai==3.57.0 2>pip.log || { cat pip.log; exit 2; }
echo '{}' >package.json
npm install --silent --no-audit --no-fund openai@7.59.0 node@24.21.0

cat >client.mjs <<'EOF'
import OpenAI from "openai";

const client = new OpenAI({ apiKey: "none", baseURL: process.argv[2] });
for (const model of process.argv.slice(3)) {
  const final = async () => {
    const response = await client.responses.stream({ model, input: "Hello" }).finalResponse();
    return `returned a response that is ${response.status}`;
  };
  const loop = async () => {
    let last;
    for await (const event of await client.responses.create({ model, input: "Hello", stream: true })) last = event;
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

import openai

RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
ERROR = {"code": "server_error", "message": "The model broke off."}
BEGINNING = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
    {"type": "response.content_part.added", **PLACE, "part": {"type": "output_text", "text": "", "annotations": []}},
    {"type": "response.output_text.delta", **PLACE, "delta": "Half a", "logprobs": []},
]
ENDS = {
    "error": [{"type": "error", "param": None, **ERROR}],
    "failed": [{"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": ERROR}}],
    "cut": [],
}


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        end = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, event in enumerate(BEGINNING + ENDS[end]):
            data = json.dumps({**event, "sequence_number": number})
            self.wfile.write(f"event: {event['type']}\ndata: {data}\n\n".encode())

    def log_message(self, *_): ...


def loop(client, model):
    for event in client.responses.create(model=model, input="Hello", stream=True):
        last = event
    return f"no exception, last event {last.type}"


def final(client, model):
    with client.responses.stream(model=model, input="Hello") as stream:
        return f"returned a response that is {stream.get_final_response().status}"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
client = openai.OpenAI(api_key="none", base_url=url)
for model in ENDS:
    for way in (loop, final):
        try:
            outcome = way(client, model)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        print(f"{model} | Python {way.__name__} | {outcome}", flush=True)
subprocess.run(["node", "client.mjs", url, *ENDS], check=True, timeout=60)
EOF

PATH="$dir/node_modules/.bin:$PATH" venv/bin/python client.py | tee seen
diff - seen <<'EOF'
error | Python loop | no exception, last event error
error | Python final | RuntimeError: Didn't receive a `response.completed` event.
failed | Python loop | no exception, last event response.failed
failed | Python final | RuntimeError: Didn't receive a `response.completed` event.
cut | Python loop | no exception, last event response.output_text.delta
cut | Python final | RuntimeError: Didn't receive a `response.completed` event.
error | Node loop | APIError: The model broke off.
error | Node final | APIError: The model broke off.
failed | Node loop | no exception, last event response.failed
failed | Node final | returned a response that is failed
cut | Node loop | no exception, last event response.output_text.delta
cut | Node final | returned a response that is in_progress
EOF
