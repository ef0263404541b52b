#!/usr/bin/env bash
# One call of a tool in a stream of the Responses API, read by LiteLLM's bridge from chat completions to it.
#
# Versions: litellm 1.106.2 (PyPI).
# One would guess: `stream_chunk_builder` makes the same call of a stream as of the whole answer, as it does for a stream
#   of chat completions.
# What happens: through the bridge (`openai/responses/MODEL`) the arguments are in the stream's chunks twice, first in
#   pieces and then as a whole, so that the call that is put together has arguments that are no JSON.
set -Eeuo pipefail
export NO_PROXY=127.0.0.1 LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_TELEMETRY=False

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check litellm==1.106.2 2>pip.log || { cat pip.log; exit 2; }

cat >client.py <<'EOF'
import http.server
import json
import threading

import litellm

ARGUMENTS = '{"zone": "Europe/Oslo"}'
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "time"}
DONE = {**CALL, "status": "completed", "arguments": ARGUMENTS}
USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
WHOLE = {**RESPONSE, "status": "completed", "output": [DONE], "usage": USAGE, "parallel_tool_calls": True, "tools": []}
PLACE = {"item_id": "fc_1", "output_index": 0}
EVENTS = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", **PLACE, "delta": ARGUMENTS[:10]},
    {"type": "response.function_call_arguments.delta", **PLACE, "delta": ARGUMENTS[10:]},
    {"type": "response.function_call_arguments.done", **PLACE, "arguments": ARGUMENTS, "name": "time"},
    {"type": "response.output_item.done", "output_index": 0, "item": DONE},
    {"type": "response.completed", "response": WHOLE},
]


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        streamed = json.loads(self.rfile.read(int(self.headers["Content-Length"]))).get("stream")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        self.end_headers()
        if not streamed:
            self.wfile.write(json.dumps(WHOLE).encode())
            return
        for number, event in enumerate(EVENTS):
            data = json.dumps({**event, "sequence_number": number})
            self.wfile.write(f"event: {event['type']}\ndata: {data}\n\n".encode())

    def log_message(self, *_): ...


litellm.suppress_debug_info = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
asked = {
    "model": "openai/responses/m",
    "api_base": f"http://127.0.0.1:{server.server_port}/v1",
    "api_key": "none",
    "messages": [{"role": "user", "content": "What time is it?"}],
}
whole = litellm.completion(**asked)
chunks = litellm.completion(**asked, stream=True)
for name, completion in ("whole", whole), ("stream", litellm.stream_chunk_builder(list(chunks))):
    for call in completion.choices[0].message.tool_calls:
        print(f"{name} | {call.function.name} | {call.function.arguments}")
EOF

venv/bin/python client.py 2>log | tee seen || { cat log; exit 1; }
diff - seen <<'EOF'
whole | time | {"zone": "Europe/Oslo"}
stream | time | {"zone": "Europe/Oslo"}{"zone": "Europe/Oslo"}
EOF
