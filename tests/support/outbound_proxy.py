"""An outbound proxy on 127.0.0.1 that speaks HTTP and SOCKS5, and records where its clients connect to."""

import asyncio
import base64

from tests.support.tcp_server import TcpServer


class OutboundProxy(TcpServer):
    """A proxy. `targets` holds `host:port` of each connection; `refuse` makes it refuse to connect.

    It requires `user` and `password`, if there are any. With `mute` it accepts connections and sends nothing;
    with `words` it answers everything with these, and hangs up.
    """

    def __init__(self, user: str = "", password: str = "") -> None:
        super().__init__()
        self._credentials = (user, password)
        self.targets: list[str] = []
        self.refused = 0
        self.refuse = False
        self.mute = False
        self.words: bytes | None = None

    def url(self, scheme: str, login: str = "") -> str:
        """Its address in accounts.toml."""
        return f"{scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if self.mute:
            await asyncio.Event().wait()
        elif self.words is not None:
            writer.write(self.words)
        elif first == b"\x05":
            await self._socks(reader, writer)
        else:
            await self._http(first + await reader.readuntil(b"\r\n\r\n"), reader, writer)

    async def _http(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """CONNECT, or a request with a whole address, which servers understand as it is."""
        method, address, _ = head.split(b" ", 2)
        user, password = self._credentials
        login = b"Basic " + base64.b64encode(f"{user}:{password}".encode())
        if user and login not in head:
            self.refused += 1
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        target = address.decode().removeprefix("http://").split("/")[0]
        self.targets.append(target)
        if self.refuse:
            self.refused += 1
            writer.write(b"HTTP/1.1 503 No Way\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self._carry(host, int(port), b"" if method == b"CONNECT" else head, reader, writer)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RFC 1928, and RFC 1929 for the credentials."""
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        wanted = b"\x02" if self._credentials[0] else b"\x00"
        if wanted not in methods:
            self.refused += 1
            writer.write(b"\x05\xff")
            return
        writer.write(b"\x05" + wanted)
        if wanted == b"\x02" and not await self._logs_in(reader, writer):
            return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(str(part) for part in await reader.readexactly(4))
        port = int.from_bytes(await reader.readexactly(2))
        self.targets.append(f"{host}:{port}")
        writer.write(b"\x05" + (b"\x05" if self.refuse else b"\x00") + b"\x00\x01" + bytes(6))
        if self.refuse:
            self.refused += 1
        else:
            await self._carry(host, port, b"", reader, writer)

    async def _logs_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readexactly(1)
        login = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
        right = tuple(login) == self._credentials
        self.refused += not right
        writer.write(b"\x01" + (b"\x00" if right else b"\x01"))
        return right

    async def _carry(
        self, host: str, port: int, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass bytes both ways until one side closes. Names are all this machine's, as in a resolver of its own."""
        upstream, back = await asyncio.open_connection("127.0.0.1", port)
        back.write(head)
        ways = [asyncio.create_task(_pass_on(reader, back)), asyncio.create_task(_pass_on(upstream, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
