"""An account's outbound proxy, HTTP or SOCKS5, under httpx.

By the library that carries the chat's socket too (aiohttp-socks is made on it), so that what goes wrong is the same for
both. httpx's own way by SOCKS leaves a socket open when the proxy refuses or is silent, and its own way by HTTP reports
the request to the proxy as if the question were being sent.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore
import httpx
from httpcore._backends.anyio import AnyIOStream
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
from python_socks.async_.anyio.v2 import Proxy


class ProxyBackend(httpcore.AnyIOBackend):
    """Where httpx gets its connections: each leads by the proxy, which looks the host's name up."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """A stream to the host. httpcore's errors, as if it had connected by itself."""
        try:
            stream = await Proxy.from_url(self._address).connect(host, port, timeout=timeout)
        except ProxyTimeoutError as error:
            raise httpcore.ConnectTimeout("the proxy says nothing") from error
        except (ProxyError, ProxyConnectionError, anyio.BrokenResourceError) as error:
            raise httpcore.ProxyError(str(error)) from error
        return AnyIOStream(stream.anyio_stream)


def open_transport(address: str, tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """A transport of httpx that goes by the proxy at that address."""
    transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
    transport._pool._network_backend = ProxyBackend(address)
    return transport
