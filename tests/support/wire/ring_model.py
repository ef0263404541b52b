"""Whose turn it is: the clients' lines, the ring of clients and the workers with free places, in plain Python."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.wire.tokens import Job, Token

# For how long a token is left to its owner, in seconds; less than it is, since calls take time.
_SURELY_LEFT = 0.09
_OF_A_LINE = 8

Lines = dict[str, list[Token]]


@dataclass
class RingModel:
    """The clients in the order of their next turns; the workers that are `alive` take these.

    `now` is what Redis holds after the call that is looked at, and `began` the monotonic time when that was made.
    """

    alive: set[str]
    order: list[str] = field(default_factory=list)
    lines: Lines = field(default_factory=lambda: defaultdict(list))
    again: Lines = field(default_factory=lambda: defaultdict(list))
    credit: dict[str, int] = field(default_factory=dict)
    idle: dict[str, int] = field(default_factory=dict)
    now: dict[str, dict[str, Any]] = field(default_factory=dict)
    began: float = 0.0

    def enter(self, token: Token, *, ahead: bool = False) -> None:
        """Let a token wait that has work: at the end of its client's line, or ahead of it."""
        if token.running or token.turn is not None or not token.mailbox:
            return
        client = token.mailbox[0].client
        if not self._has_waiting(client):
            self.order.append(client)
        token.turn, token.entry = client, "again" if ahead else "line"
        token.entered, token.old = self.began, False
        self._places(token)[client].append(token)
        self._ring_bell(token.owner)

    def leave_line(self, token: Token) -> None:
        """Let a token wait no more."""
        if token.turn is None:
            return
        client, token.turn = token.turn, None
        self._places(token)[client].remove(token)
        self._pass_on(client, None)

    def set_free(self, worker: str, free: int) -> None:
        """Set how many places a worker has free."""
        self.idle.pop(worker, None)
        if free > 0:
            self.idle[worker] = free

    def grow_old(self) -> None:
        """Leave no token to its owner that waits by now."""
        for line in self.lines.values():
            for token in line:
                token.old = True

    def choose(
        self, worker: str, free: int, running: dict[str, float], claim: Callable[[Token], Job | None]
    ) -> tuple[Token, Job, str] | bool:
        """Return the worker's next turn and its client; or whether a token waits that is left to another worker."""
        waits = False
        for client in list(self.order):
            enough = client != "" and running.get(client, 0) >= 3 * free
            while not enough and self._has_waiting(client):
                token = self._pop(client, worker)
                if token is None:
                    waits = True
                    break
                job = claim(token)
                self._pass_on(client, job.weight if job else None)
                if job:
                    return token, job, client
        return waits

    def _pop(self, client: str, worker: str) -> Token | None:
        """Take the first token of a line that isn't left to another worker."""
        line = self.again[client] or self.lines[client]
        for token in line[:_OF_A_LINE]:
            if not self._is_left(token, worker):
                line.remove(token)
                token.turn = None
                return token
        return None

    def _is_left(self, token: Token, worker: str) -> bool:
        """Return whether a token is left to its owner; if that depends on the moment, whether it was."""
        owner = token.owner
        if token.entry == "again" or owner in (None, worker) or owner not in self.idle or owner not in self.alive:
            return False
        if token.old or time.monotonic() - token.entered < _SURELY_LEFT:
            return not token.old
        return "turn" in self.now["token"].get(token.name, ())

    def _pass_on(self, client: str, weight: int | None) -> None:
        """Go on to the next client when this one waits no more, or has had as many turns as it weighs."""
        if not self._has_waiting(client):
            self.order.remove(client)
            self.credit.pop(client, None)
        elif weight is not None:
            self.credit[client] = self.credit.get(client, 0) + 1
            if self.credit[client] >= weight:
                del self.credit[client]
                self.order.remove(client)
                self.order.append(client)

    def _ring_bell(self, owner: str | None) -> None:
        """Wake a worker, which is one place less to count on."""
        bell = owner if owner in self.idle else None
        while bell is None or bell not in self.alive:
            self.idle.pop(bell or "", None)
            if not self.idle:
                return
            bell = max(self.idle, key=lambda worker: (self.idle[worker], worker))
        self.set_free(bell, self.idle[bell] - 1)

    def _has_waiting(self, client: str) -> bool:
        return bool(self.lines[client] or self.again[client])

    def _places(self, token: Token) -> Lines:
        return self.again if token.entry == "again" else self.lines

    def check(self, seen: dict[str, dict[str, Any]]) -> None:
        """Redis has the same lines, and the promises about them hold by what is in Redis alone."""
        lines = {client: [fields["t"] for _, fields in line] for client, line in seen["jobs_of"].items()}
        assert lines == {client: [token.name for token in line] for client, line in self.lines.items() if line}
        assert seen["again"] == {client: [token.name for token in line] for client, line in self.again.items() if line}
        assert seen["ring"].get("", []) == self.order
        assert {client: int(turns) for client, turns in seen["credit"].get("", {}).items()} == self.credit
        assert dict(seen["idle"].get("", ())) == self.idle
        check_places(seen)


def check_places(seen: dict[str, dict[str, Any]]) -> None:
    """Each token that has work and does not run is in its line, nobody else is, and the ring has all lines."""
    places = [(token, client, "again") for client, line in seen["again"].items() for token in line]
    for client, line in seen["jobs_of"].items():
        places += [(fields["t"], client, entry) for entry, fields in line]
    tokens = seen["token"]
    assert sorted(places) == sorted(
        (name, token["turn"], token["entry"]) for name, token in tokens.items() if "turn" in token
    )
    for name, token in tokens.items():
        assert ("running" in token) + ("turn" in token) == int("running" in token or name in seen["mailbox"]), name
    ring = seen["ring"].get("", [])
    assert sorted(ring) == sorted({client for _, client, _ in places})
    assert set(seen["credit"].get("", ())) <= set(ring)
