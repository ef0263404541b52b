"""The Lua scripts, each a file with a header of its own: keys, arguments, returns."""

from pathlib import Path

from wire.keys import NAMES

_FOLDER = Path(__file__).parent
# Every script but enqueue may run above Redis's memory limit: what was accepted must be able to end.
_REFUSED_WHEN_FULL = frozenset({"enqueue"})


def names() -> list[str]:
    """The names of all scripts."""
    return sorted(path.stem for path in _FOLDER.glob("*.lua") if path.stem != "prelude")


def source(name: str, *, flags: bool) -> str:
    """The whole text of a script. `flags` is False for fakeredis, which doesn't know the `#!lua` line."""
    table = ", ".join(f"{kind} = '{part}'" for kind, part in NAMES.items())
    body = (_FOLDER / "prelude.lua").read_text() + (_FOLDER / f"{name}.lua").read_text()
    head = "#!lua\n" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"
    return f"{head if flags else ''}local NAMES = {{ {table} }}\n{body}"
