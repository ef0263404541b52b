"""HTTP requests to a server that has the OpenAI API, or another one of its kind: URL, key and errors.

Connections of our own are used instead of the API's library: the SENT mark must be set between having one and writing,
nothing may be sent twice, and that library takes a stream that was cut off for a complete one.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import httpx

from telemetry import traces
from wire.jobs import RETRY_AFTER
from wire.reasons import Reason
from worker.accounts.account import ServerAccount
from worker.errors import UpstreamError
from worker.providers.connections.request_bytes import write_request
from worker.providers.connections.server_connections import ServerConnections
from worker.providers.connections.server_origin import locate
from worker.providers.connections.server_response import ServerResponse
from worker.providers.content_encoding import decode_body
from worker.providers.http import upstream_errors
from worker.providers.openai.errors import parse_error_response
from worker.providers.openai.retry_after import parse_retry_after
from worker.providers.sent_mark import SendHook

# Limits of reading an error's body: bytes and seconds.
_MAX_ERROR = 64 * 1024
ERROR_TIMEOUT = 5.0
# Encodings that nothing here decodes; see content_encoding.
_UNREADABLE = frozenset({"br", "zstd", "compress"})


@dataclass(frozen=True)
class FailureReasons:
    """The reasons of errors when a server is too slow (`silence`), and when it rejects a question (`policy`)."""

    silence: Reason
    policy: Reason


class ServerClient:
    """Requests to servers, with the system's certificates and the browsers'.

    A question goes over a connection of the account's pool, any other request over one of its own. Connecting may take
    `connect_timeout` seconds, and the body of an error `error_timeout`. `key_headers` are the headers that carry a
    server's key.
    """

    def __init__(
        self,
        connect_timeout: float,
        *,
        error_timeout: float = ERROR_TIMEOUT,
        key_headers: Callable[[ServerAccount], dict[bytes, bytes]] | None = None,
    ) -> None:
        self._key_headers = key_headers or bearer_headers
        self._error_timeout = error_timeout
        self._connections = ServerConnections(connect_timeout)

    @asynccontextmanager
    async def post(
        self,
        server: ServerAccount,
        path: str,
        body: bytes,
        hook: SendHook,
        reasons: FailureReasons,
        fields: Collection[str] = (),
        headers: Mapping[bytes, bytes] | None = None,
        sent: Collection[str] = (),
    ) -> AsyncGenerator[ServerResponse, None]:
        """Send a question, and yield the response, whose body the caller reads. UpstreamError, also while it reads.

        The connection is closed at the end of the block if that is left by an exception, or the response has no end. A
        refusal may name one of the `fields` of the body. `headers` are sent beside those of every request; `sent` are
        the body's fields that are the client's own.
        """
        with upstream_errors(reasons.silence):
            own = {b"Content-Type": b"application/json", **self._key_headers(server), **_trace()}
            origin, target = locate(endpoint_url(server, path))
            request = write_request("POST", origin, target, {**own, **(headers or {})}, body)
            sending = self._connections.send(server, origin, request, hook)
            # Megabytes of a question, perhaps, of which nothing is needed while the answer comes.
            del request, body
            async with sending as connection:
                response = ServerResponse(connection)
                await self._check_response(response, server, reasons.policy, fields, sent)
                yield response

    async def get(self, server: ServerAccount, path: str, limit: int = 0) -> bytes:
        """Send a GET request, and return up to `limit` bytes of the response. UpstreamError if it is an error."""
        with upstream_errors(Reason.TIMEOUT_CONNECT):
            origin, target = locate(endpoint_url(server, path))
            request = write_request("GET", origin, target, self._key_headers(server))
            async with self._connections.request(server, origin, request) as connection:
                response = ServerResponse(connection)
                if response.status_code in (404, 405):
                    raise UpstreamError(Reason.UPSTREAM_PROTOCOL, f"HTTP {response.status_code}")
                await self._check_response(response, server)
                return await read_body(response, limit)

    def close(self) -> None:
        """Close the connections that are idle."""
        self._connections.close()

    async def _check_response(
        self,
        response: ServerResponse,
        server: ServerAccount,
        policy: Reason = Reason.QUESTION_REFUSED,
        fields: Collection[str] = (),
        sent: Collection[str] = (),
    ) -> None:
        """Raise UpstreamError unless the response is successful and in a readable encoding."""
        content_type = response.headers.get("content-type", "")
        # A page under 200 is no answer of the server's: whoever is in front of it asks for a sign-in, or says sorry.
        if not response.is_success or content_type.lower().startswith("text/html"):
            body = await _read_error(response, self._error_timeout)
            report = parse_error_response(response.status_code, body, content_type)
            raise report.to_upstream_error(parse_retry_after(response.headers), policy, server.key, fields, sent)
        if response.headers.get("content-encoding", "").strip().lower() in _UNREADABLE:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a response in an encoding that was not asked for")


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncGenerator[None, None]:
    """Limit what a server is asked beside questions. UpstreamError `timeout.connect` if it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise UpstreamError(Reason.TIMEOUT_CONNECT, "no answer in time") from error


def endpoint_url(server: ServerAccount, path: str) -> httpx.URL:
    """Append a path, which may have a query, to that of the server's base URL, before its query. httpx.InvalidURL."""
    return _append(server.base_url, path)


# There are but a few addresses, and each question needs one.
@lru_cache(1024)
def _append(base_url: str, path: str) -> httpx.URL:
    base = parse_url(base_url)
    own, _, query = base.raw_path.partition(b"?")
    added, _, parameters = path.encode().partition(b"?")
    queries = b"&".join(filter(None, (query, parameters)))
    return base.copy_with(raw_path=own.rstrip(b"/") + added + (b"?" + queries if queries else b""))


@lru_cache(1024)
def parse_url(address: str) -> httpx.URL:
    """Return an address in its parts. httpx.InvalidURL."""
    return httpx.URL(address)


def excuse_account(error: UpstreamError) -> None:
    """Take the refusal of one model of several as its own: the account's others can be asked."""
    error.reason, error.elsewhere, error.retry_after = Reason.MODEL_NONE, True, RETRY_AFTER


def bearer_headers(server: ServerAccount) -> dict[bytes, bytes]:
    """Return the headers that carry the key, with Azure's own for its servers; bytes, since a key may be any text."""
    if not server.key:
        return {}
    key = server.key.encode()
    headers = {b"Authorization": b"Bearer " + key}
    if parse_url(server.base_url).host.endswith(".azure.com"):
        headers[b"api-key"] = key
    return headers


def _trace() -> dict[bytes, bytes]:
    """Return the header by which the server continues the current trace, if there is one."""
    traceparent = traces.current_traceparent()
    return {b"traceparent": traceparent.encode()} if traceparent else {}


async def read_body(response: ServerResponse, limit: int) -> bytes:
    """Read up to `limit` bytes of a body."""
    body = bytearray()
    if limit:
        async for chunk in decode_body(response):
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


async def _read_error(response: ServerResponse, limit: float) -> bytes:
    """Read what arrives of an error's body within `limit` seconds; the status alone is mostly enough."""
    body = bytearray()
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(limit):
            async for chunk in decode_body(response):
                body += chunk
                if len(body) > _MAX_ERROR:
                    break
    return bytes(body[:_MAX_ERROR])
