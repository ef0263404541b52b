"""The Lua scripts, each a file with a header of its own: keys, arguments, returns.

Those with more than eight arguments take one JSON object; see encode_arguments.
"""

import re
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
_REFUSED_WHEN_FULL = frozenset({"enqueue", "note", "admit_pictures", "remember", "count_result"})
_OF_THE_LEDGER = frozenset({"announce", "reserve", "record", "vacate", "order", "hand_in", "report", "event"})
# Runs with every delta: creating the prelude's functions would be most of its cost. It gets only these names of keys.
_ALONE = {"append": ("token", "job", "log", "channel")}
_DEFINITION = re.compile("^(?=local )", re.MULTILINE)
_DEFINED = re.compile(r"local (?:function )?([\w, ]+)")
_COMMENT = re.compile("--.*")
_WORD = re.compile(r"\w+")


def encode_arguments(**arguments: Any) -> bytes:
    """Encode a script's arguments by name, which it decodes from ARGV[2]. Those that are None are left out."""
    return msgspec.json.encode({name: value for name, value in arguments.items() if value is not None})


def names() -> list[str]:
    """Return the names of all scripts."""
    return sorted({path.stem for path in _FOLDER.glob("*.lua")} - {"prelude", "ledger"})


@cache
def source(name: str, *, in_memory: bool, sharded: bool = False) -> str:
    """Return the whole text of a script. fakeredis (`in_memory`) supports neither the `#!lua` line nor a run id.

    `sharded`: what it publishes reaches only the shard's own node; a cluster sends everything else to all nodes.
    """
    body = _alone(name) if name in _ALONE else _with_prelude(name, in_memory=in_memory)
    if sharded:
        body = body.replace("'PUBLISH'", "'SPUBLISH'")
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
    shared = ["prelude", "ledger"] if name in _OF_THE_LEDGER else ["prelude"]
    text = "".join([*_needed("".join(map(_text, shared)), _text(name)), _text(name)])
    run = "'memory'" if in_memory else "nil"
    seconds = f"local SECONDS = '{TO_BE_MEASURED}'"
    names = _table("NAMES", {kind: part for kind, part in NAMES.items() if f"'{kind}'" in text})
    terminal_events = _table(
        "ENDS", {end: encode(event).decode() for end, event in BY_NAME.items() if f"ENDS.{end}" in text}
    )
    return f"local RUN = {run}\n{seconds}\n{names}\n{terminal_events}\n{text}"


def _needed(shared: str, script: str) -> list[str]:
    """Return those definitions of the shared text that a script needs: creating all would be most of its cost."""
    needed, words = list[str](), set(_WORD.findall(_COMMENT.sub("", script)))
    for definition in reversed(_DEFINITION.split(shared)[1:]):
        code = _COMMENT.sub("", definition)
        defined = _DEFINED.match(code)
        if defined and words.intersection(_WORD.findall(defined[1])):
            words.update(_WORD.findall(code))
            needed.append(definition)
    return needed[::-1]


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


def _table(name: str, entries: dict[str, str]) -> str:
    """Return a Lua table of texts, none of which contains `]==]`."""
    return f"local {name} = {{ {', '.join(f'{key} = [==[{text}]==]' for key, text in entries.items())} }}"
