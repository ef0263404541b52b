"""Connect httpx through an account's proxy, HTTP or SOCKS5.

It uses the library on which the chat's aiohttp-socks is built, so that both fail alike. httpx's own SOCKS support
leaves a socket open when the proxy refuses or doesn't answer, and its own HTTP support reports the request to the proxy
as if the question were being sent.
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
    """A network backend of httpx whose connections go through the proxy, which resolves the host's name."""

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
        """Connect to the host through the proxy. Failures are httpcore's exceptions."""
        try:
            stream = await Proxy.from_url(self._address).connect(host, port, timeout=timeout)
        except ProxyTimeoutError as error:
            raise httpcore.ConnectTimeout("no answer from the proxy") from error
        except (ProxyError, ProxyConnectionError, anyio.BrokenResourceError) as error:
            raise httpcore.ProxyError(str(error)) from error
        return AnyIOStream(stream.anyio_stream)


def open_transport(address: str, tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """Create a transport of httpx that connects through the proxy at that address."""
    transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
    transport._pool._network_backend = ProxyBackend(address)
    return transport
