"""Answers of servers as bytes: shapes.json has one in each row, with what clients of the gateway get for it.

A row has a name and a kind. `status`, `type` (none if null) and `headers` are the response's; `writes` are texts, and
numbers for pauses in seconds, `cut` the bytes of each write (none: a text is one). `end` is how the response ends:
clean, cut, reset, or open, which keeps the connection. `text` is the whole answer that follows, `finish` its reason if
not stop; else `error` is the status and `partial` the text before it.
"""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from emulator import http_faults
from emulator.http_faults import HOLD_LIMIT

PATH = Path(__file__).parent / "shapes.json"


@dataclass(frozen=True)
class UpstreamShape:
    """One row; see above. `expected` are the fields that say what clients get."""

    name: str
    kind: str
    type: str | None
    writes: tuple[str | float, ...]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    end: Literal["clean", "cut", "reset", "open"] = "clean"
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        """The status line and the headers; the body is chunked, so that a clean end differs from a cut."""
        content_type = {} if self.type is None else {"Content-Type": self.type}
        fields = {**content_type, **self.headers, "Transfer-Encoding": "chunked"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Status\r\n{lines}\r\n".encode()

    def pieces(self) -> list[bytes | float]:
        """Return the writes' bytes, cut as the row says, and the pauses."""
        pieces: list[bytes | float] = []
        for write in self.writes:
            if not isinstance(write, str):
                pieces.append(write)
                continue
            data = write.encode()
            step = self.cut or max(1, len(data))
            pieces += [data[start : start + step] for start in range(0, len(data), step)]
        return pieces


def load_shapes() -> list[UpstreamShape]:
    """Return the rows of the file."""
    return [_parse(row) for row in json.loads(PATH.read_text())]


def _parse(row: dict[str, Any]) -> UpstreamShape:
    names = ("text", "finish", "error", "partial")
    expected: dict[str, Any] = {name: row.pop(name) for name in names if name in row}
    return UpstreamShape(**{**row, "writes": tuple(row["writes"])}, expected=expected)


async def send(request: web.Request, shape: UpstreamShape) -> web.StreamResponse:
    """Write the shape's bytes to the request's connection, past the web server, and end it."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError
    transport.write(shape.head)
    for piece in shape.pieces():
        if isinstance(piece, bytes):
            transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            await asyncio.sleep(piece)
        # What is written goes out before more follows.
        await asyncio.sleep(0)
    if shape.end == "open":
        await asyncio.sleep(HOLD_LIMIT)
    if shape.end == "clean":
        transport.write(b"0\r\n\r\n")
    if shape.end == "reset":
        http_faults.reset(request)
    transport.close()
    return web.Response()
