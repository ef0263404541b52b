"""Requests of clients as bytes: tests/gateway/client_shapes.json has one in each row, with what its sender gets.

A row has a name and a kind. `head` are the lines of the request and `body` what follows them. Host, Connection: close
and Content-Length are added where they are missing. `{fill}` is replaced by `fill` times `fill_with`. `encoding` is
that of the whole, `body_encoding` that of the body alone.

`times` is how often the request is sent on one connection: with `one_by_one` each after the response before it, else
all at once. `cut` is the bytes of each write (none: one write). With `waits` the body is sent once the server has asked
for it, `behind` is sent behind the body.

All other fields are what the client gets; see `check` in the test.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PATH = Path(__file__).parents[2] / "gateway/client_shapes.json"
_SENT = ("fill", "fill_with", "encoding", "body_encoding", "times", "one_by_one", "cut", "waits", "behind")


@dataclass(frozen=True)
class ClientShape:
    """One row; see above. `expected` are the fields that say what the client gets."""

    name: str
    kind: str
    head: tuple[str, ...]
    body: str = ""
    fill: int = 0
    fill_with: str = "x"
    encoding: str = "utf-8"
    body_encoding: str = ""
    times: int = 1
    one_by_one: bool = False
    cut: int = 0
    waits: bool = False
    behind: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.head[0].partition(" ")[0]

    def fill_in(self, text: str) -> str:
        """Return a text of the row with `{fill}` replaced."""
        return text.replace("{fill}", self.fill_with * self.fill)

    def encoded_head(self, connection: Literal["close", "keep-alive"]) -> bytes:
        """Return the head's bytes."""
        names = {line.partition(":")[0].lower() for line in self.head[1:]}
        has_length = names & {"content-length", "transfer-encoding"} or not self.body
        added = {
            "host": "Host: gateway",
            "connection": f"Connection: {connection}",
            **({} if has_length else {"content-length": f"Content-Length: {len(self.encoded_body())}"}),
        }
        if self.head[0].endswith("HTTP/1.0"):
            del added["host"], added["connection"]
        lines = [*self.head, *(line for name, line in added.items() if name not in names), "", ""]
        return self.fill_in("\r\n".join(lines)).encode(self.encoding)

    def encoded_body(self) -> bytes:
        """Return the body's bytes."""
        return self.fill_in(self.body).encode(self.body_encoding or self.encoding)


def load_shapes() -> list[ClientShape]:
    """Return the rows of the file."""
    return [_parse(row) for row in json.loads(PATH.read_text())]


def _parse(row: dict[str, Any]) -> ClientShape:
    fixed = {name: row.pop(name) for name in ("name", "kind")}
    head, body = tuple(row.pop("head")), row.pop("body", "")
    sent = {name: row.pop(name) for name in _SENT if name in row}
    return ClientShape(**fixed, head=head, body=body, **sent, expected=row)
