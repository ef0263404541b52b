"""Directives of the user that name tools to call, text to give, and the server to be like.

`!tool=NAME {"a":1}` calls a tool that is offered; further ones are called one after another, each in a request of its
own. `!and=NAME {…}` is called together with the one before it. Without arguments some are made to fit the schema.
`!say "text"` is the text after all calls, as a JSON string. `!as=NAME` is a row of the table of servers.
"""

import json
import re
from dataclasses import dataclass

DIRECTIVE = re.compile(r'!(tool|and|as)=([A-Za-z0-9_.-]*[A-Za-z0-9_-])\s*|!say\s+(?=")')


@dataclass(frozen=True)
class DirectedCall:
    """A call that is asked for. arguments: an object or a string in JSON; None: whatever fits."""

    name: str
    arguments: str | None = None


@dataclass(frozen=True)
class CallDirectives:
    """What the user asks for. rounds: calls, together or after one another. server: a row's name."""

    rounds: tuple[tuple[DirectedCall, ...], ...] = ()
    say: str | None = None
    server: str | None = None

    def next_round(self, results: int) -> tuple[DirectedCall, ...]:
        """Return the calls that come next when so many have results; empty after the last."""
        for calls in self.rounds:
            if results < len(calls):
                return calls[results:]
            results -= len(calls)
        return ()


def parse(text: str) -> tuple[CallDirectives, str]:
    """Return the directives in a text, and the text without them."""
    rounds: list[list[DirectedCall]] = []
    say = server = None
    rest: list[str] = []
    end = 0
    while match := DIRECTIVE.search(text, end):
        rest.append(text[end : match.start()])
        end = match.end()
        kind, name = match[1], match[2]
        if kind == "as":
            server = name
            rest.append(" ")
            continue
        value, end = _read_json(text, end)
        if kind is None:
            say = json.loads(value) if value else say
            continue
        call = DirectedCall(name, value)
        if kind == "and" and rounds:
            rounds[-1].append(call)
        else:
            rounds.append([call])
    rest.append(text[end:])
    return CallDirectives(tuple(map(tuple, rounds)), say, server), "".join(rest)


def _read_json(text: str, start: int) -> tuple[str | None, int]:
    """Return the JSON of the object or string that begins there, None if there is none, and where it ends."""
    if text[start : start + 1] not in ("{", '"'):
        return None, start
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return None, start
    return text[start:end], end
