"""The Lua scripts, each a file with a header of its own: keys, arguments, returns.

Those with more than eight arguments take one JSON object; see encode_arguments.
"""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from wire.keys import NAMES
from wire.messages import encode
from wire.terminal_events import BY_NAME, TO_BE_MEASURED

_FOLDER = Path(__file__).parent
# What is known of a key is reported also while Redis is full.
_READ_ONLY = frozenset({"asked"})
# All other scripts may run above Redis's memory limit: what was accepted must be able to end.
_REFUSED_WHEN_FULL = frozenset({"enqueue", "note", "admit_pictures", "remember"})
_OF_THE_LEDGER = frozenset({"announce", "reserve", "record", "vacate", "order", "hand_in", "report", "event"})
# Runs with every delta: creating the prelude's functions would be most of its cost. It gets only these names of keys.
_ALONE = {"append": ("token", "log", "channel")}


def encode_arguments(**arguments: Any) -> bytes:
    """Encode a script's arguments by name, which it decodes from ARGV[2]. Those that are None are left out."""
    return msgspec.json.encode({name: value for name, value in arguments.items() if value is not None})


def names() -> list[str]:
    """Return the names of all scripts."""
    return sorted({path.stem for path in _FOLDER.glob("*.lua")} - {"prelude", "ledger"})


@cache
def source(name: str, *, in_memory: bool) -> str:
    """Return the whole text of a script. fakeredis (`in_memory`) supports neither the `#!lua` line nor a run id."""
    body = _alone(name) if name in _ALONE else _with_prelude(name, in_memory=in_memory)
    if in_memory:
        return body
    return f"{_head(name)}\n{body}"


def _head(name: str) -> str:
    if name in _REFUSED_WHEN_FULL:
        return "#!lua"
    return f"#!lua flags={'no-writes' if name in _READ_ONLY else 'allow-oom'}"


def _alone(name: str) -> str:
    return f"{_table('NAMES', {kind: NAMES[kind] for kind in _ALONE[name]})}\n{_text(name)}"


def _with_prelude(name: str, *, in_memory: bool) -> str:
    parts = ["prelude", "ledger", name] if name in _OF_THE_LEDGER else ["prelude", name]
    run = "'memory'" if in_memory else "nil"
    terminal_events = _table("ENDS", {end: encode(event).decode() for end, event in BY_NAME.items()})
    seconds = f"local SECONDS = '{TO_BE_MEASURED}'"
    return f"local RUN = {run}\n{seconds}\n{_table('NAMES', NAMES)}\n{terminal_events}\n{''.join(map(_text, parts))}"


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


def _table(name: str, entries: dict[str, str]) -> str:
    """Return a Lua table of texts, none of which contains `]==]`."""
    return f"local {name} = {{ {', '.join(f'{key} = [==[{text}]==]' for key, text in entries.items())} }}"
