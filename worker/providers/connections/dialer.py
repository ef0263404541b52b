"""Open a connection to a server, directly or through an account's proxy. Failures are httpx's errors."""

import asyncio
import ssl
from typing import Any

import httpx
from aiohappyeyeballs import start_connection
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
from python_socks.async_.asyncio.v2 import Proxy

from worker.providers.connections.http_connection import HttpConnection
from worker.providers.connections.name_lookup import NameLookup
from worker.providers.connections.resuming_context import RESUMED, open_tls_context
from worker.providers.connections.server_origin import ServerOrigin

# Seconds until a host's next address is tried beside the one before (RFC 8305).
_NEXT_ADDRESS = 0.25


class Dialer:
    """Opens connections, each within `limit` seconds with its TLS."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._tls = open_tls_context()
        self._names = NameLookup()

    async def open(self, origin: ServerOrigin, proxy: str | None, session: ssl.SSLSession | None) -> HttpConnection:
        """Return a connection, which resumes the TLS session if the server does. httpx.TransportError."""
        RESUMED.set(session)
        try:
            async with asyncio.timeout(self._limit):
                return await (self._open_by_proxy(proxy, origin) if proxy else self._open(origin))
        except (TimeoutError, ProxyTimeoutError) as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (ProxyError, ProxyConnectionError) as error:
            raise httpx.ProxyError(str(error)) from error
        except (OSError, UnicodeError) as error:
            # A name that can't be looked up is a UnicodeError.
            raise httpx.ConnectError(str(error)) from error
        finally:
            RESUMED.set(None)

    def _context(self, origin: ServerOrigin) -> ssl.SSLContext | None:
        return self._tls if origin.is_tls else None

    async def _open(self, origin: ServerOrigin) -> HttpConnection:
        connected = await start_connection(
            await self._names.find(origin.host, origin.port), happy_eyeballs_delay=_NEXT_ADDRESS
        )
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection,
                sock=connected,
                ssl=self._context(origin),
                server_hostname=origin.host if origin.is_tls else None,
            )
        except BaseException:
            connected.close()
            raise
        return connection

    async def _open_by_proxy(self, proxy: str, origin: ServerOrigin) -> HttpConnection:
        stream = await Proxy.from_url(proxy).connect(origin.host, origin.port, timeout=self._limit)
        connection, transport = _ProxiedConnection(stream), stream.writer.transport
        tls: asyncio.BaseTransport | None = transport
        transport.set_protocol(connection)
        if origin.is_tls:
            loop = asyncio.get_running_loop()
            try:
                tls = await loop.start_tls(transport, connection, self._tls, server_hostname=origin.host)
            except BaseException:
                transport.abort()
                raise
        if tls is None:
            raise ConnectionAbortedError("closed by the proxy")
        connection.connection_made(tls)
        return connection


class _ProxiedConnection(HttpConnection):
    """A connection by a proxy, whose library closes the stream as soon as nobody has it."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
