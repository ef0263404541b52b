"""A server that speaks the OpenAI API, over HTTP: its address, its key, its refusals.

By plain httpx and not by the API's own library: the SENT mark has to be set between connecting and writing, nothing may
be sent again, and that library takes a stream that was cut off for a whole one.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import certifi
import httpx

from telemetry import traces
from worker.accounts.account import Account, Server
from worker.errors import UpstreamError
from worker.providers.http import upstream_errors
from worker.providers.openai.errors import parse_error_response, parse_retry_after
from worker.providers.proxy import open_transport
from worker.providers.sent_mark import SendHook

# Of an error's body no more is read than this many bytes, and for no longer than so many seconds.
_MAX_ERROR = 64 * 1024
_ERROR_PATIENCE = 5.0


@dataclass(frozen=True)
class FailureReasons:
    """What is said of a server that takes too long, and of a question that it won't have."""

    silence: str
    policy: str


class ServerClient:
    """How servers are reached: with the certificates of the system and those of browsers, nothing kept between asks.

    A connection that was kept could be dead when it is used again, and the question on it would be lost.
    """

    def __init__(self, connect_timeout: float) -> None:
        self._timeout = httpx.Timeout(None, connect=connect_timeout)
        self._tls = ssl.create_default_context()
        self._tls.load_verify_locations(certifi.where())

    @asynccontextmanager
    async def post(
        self, account: Account, path: str, body: bytes, mark: SendHook, reasons: FailureReasons
    ) -> AsyncGenerator[httpx.Response, None]:
        """The response to a question, its body still to be read. UpstreamError, also for what is read of it then.

        Leaving hangs up at once.
        """
        server = server_of(account)
        async with self._client(account) as client:
            with upstream_errors(reasons.silence):
                headers = {b"Content-Type": b"application/json", **key_headers(server), **_trace()}
                asking = client.stream(
                    "POST", endpoint_url(server, path), content=body, headers=headers, extensions={"trace": mark.trace}
                )
                async with asking as response:
                    await _accept(response, reasons.policy)
                    yield response

    async def get(self, account: Account, path: str) -> None:
        """Whether the server answers the account there. UpstreamError if not."""
        server = server_of(account)
        async with self._client(account) as client:
            with upstream_errors("timeout.connect"):
                async with client.stream("GET", endpoint_url(server, path), headers=key_headers(server)) as response:
                    if response.status_code in (404, 405):
                        raise UpstreamError("upstream.protocol", f"HTTP {response.status_code}")
                    await _accept(response)

    def _client(self, account: Account) -> httpx.AsyncClient:
        # Its log lines hold addresses, and those may hold a key.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        return httpx.AsyncClient(
            headers={"Accept-Encoding": "identity"},
            verify=self._tls,
            transport=open_transport(account.proxy, self._tls) if account.proxy else None,
            timeout=self._timeout,
            trust_env=False,
        )


def server_of(account: Account) -> Server:
    """The account's server. UpstreamError if it is an account of another kind."""
    if account.server is None:
        raise UpstreamError("account.refused", "an account without a server")
    return account.server


def endpoint_url(server: Server, path: str) -> httpx.URL:
    """The server's address with `path` put behind its own, before its query. httpx.InvalidURL."""
    base = httpx.URL(server.base_url)
    own, mark, query = base.raw_path.partition(b"?")
    return base.copy_with(raw_path=own.rstrip(b"/") + path.encode() + mark + query)


def key_headers(server: Server) -> dict[bytes, bytes]:
    """The headers that carry the key; Azure's servers have one of their own besides. As bytes: it may be any text."""
    if not server.key:
        return {}
    key = server.key.encode()
    headers = {b"Authorization": b"Bearer " + key}
    if httpx.URL(server.base_url).host.endswith(".azure.com"):
        headers[b"api-key"] = key
    return headers


def _trace() -> dict[bytes, bytes]:
    """The header that lets the server's own trace go on with ours, if there is one."""
    traceparent = traces.current_traceparent()
    return {b"traceparent": traceparent.encode()} if traceparent else {}


async def _accept(response: httpx.Response, policy: str = "question.refused") -> None:
    """UpstreamError unless the response is a good one, and as it was asked for."""
    if not response.is_success:
        refusal = parse_error_response(response.status_code, await _error_body(response))
        raise refusal.to_upstream_error(parse_retry_after(response.headers), policy)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UpstreamError("upstream.protocol", "a response in an encoding that was not asked for")


async def _error_body(response: httpx.Response) -> bytes:
    """What comes of it soon; the status alone tells most."""
    body = b""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_ERROR_PATIENCE):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MAX_ERROR:
                    break
    return body[:_MAX_ERROR]
