"""What agents send by habit: habits/NAME.json has their fields, kinds of items and headers, with texts of our own.

`path` and `headers` are those of each request; `rounds` are the bodies of one conversation, as a client sends them one
after the other (or in another of its ways), with ids and opaque values that no gateway of ours made.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "habits"


@dataclass(frozen=True)
class ClientHabits:
    """The requests of one client; see above."""

    client: str
    path: str
    headers: dict[str, str]
    rounds: list[dict[str, Any]]


def read_habits(name: str) -> ClientHabits:
    """Return the habits of `codex` or `claude_code`."""
    return ClientHabits(**json.loads((_FOLDER / f"{name}.json").read_text()))
