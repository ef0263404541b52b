"""The Lua scripts, each a file with a header of its own: keys, arguments, returns."""

from pathlib import Path

from wire.ends import BY_NAME
from wire.keys import NAMES
from wire.messages import encode

_FOLDER = Path(__file__).parent
# Every other script may run above Redis's memory limit: what was accepted must be able to end.
_REFUSED_WHEN_FULL = frozenset({"enqueue", "note"})
_OF_THE_LEDGER = frozenset({"announce", "reserve", "record", "vacate", "order", "hand_in", "report", "event"})


def names() -> list[str]:
    """The names of all scripts."""
    return sorted({path.stem for path in _FOLDER.glob("*.lua")} - {"prelude", "ledger"})


def source(name: str, *, in_memory: bool) -> str:
    """The whole text of a script. fakeredis (`in_memory`) knows neither the `#!lua` line nor a run id."""
    parts = ["prelude", "ledger", name] if name in _OF_THE_LEDGER else ["prelude", name]
    body = "".join((_FOLDER / f"{part}.lua").read_text() for part in parts)
    tables = (
        f"{_table('NAMES', NAMES)}\n{_table('ENDS', {end: encode(event).decode() for end, event in BY_NAME.items()})}\n"
    )
    if in_memory:
        return f"local RUN = 'memory'\n{tables}{body}"
    head = "#!lua" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom"
    return f"{head}\nlocal RUN = nil\n{tables}{body}"


def _table(name: str, entries: dict[str, str]) -> str:
    """A Lua table of texts, none of which holds `]==]`."""
    return f"local {name} = {{ {', '.join(f'{key} = [==[{text}]==]' for key, text in entries.items())} }}"
