"""HTTP requests to a server that has the OpenAI API, or another one of its kind: URL, key and errors.

Plain httpx is used instead of the API's own library: the SENT mark must be set between connecting and writing, nothing
may be sent twice, and that library takes a stream that was cut off for a complete one.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import certifi
import httpx

from telemetry import traces
from wire.jobs import RETRY_AFTER
from wire.reasons import Reason
from worker.accounts.account import ServerAccount
from worker.errors import UpstreamError
from worker.providers.content_encoding import decode_body
from worker.providers.http import upstream_errors
from worker.providers.openai.errors import parse_error_response
from worker.providers.openai.retry_after import parse_retry_after
from worker.providers.proxy import open_transport
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
    """HTTP clients for servers, with the system's certificates and the browsers'; connections are not reused.

    A reused connection could be dead, and the question on it would be lost. Connecting may take `connect_timeout`
    seconds, and the body of an error `error_timeout`. `key_headers` are the headers that carry a server's key.
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
        self._timeout = httpx.Timeout(None, connect=connect_timeout)
        self._tls = ssl.create_default_context()
        self._tls.load_verify_locations(certifi.where())

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
    ) -> AsyncGenerator[httpx.Response, None]:
        """Send a question, and yield the response, whose body the caller reads. UpstreamError, also while it reads.

        The connection is closed at the end of the block. A refusal may name one of the `fields` of the body. `headers`
        are sent beside those of every request; `sent` are the body's fields that are the client's own.
        """
        async with self._open_client(server) as client:
            with upstream_errors(reasons.silence):
                own = {b"Content-Type": b"application/json", **self._key_headers(server), **_trace()}
                request = client.stream(
                    "POST",
                    endpoint_url(server, path),
                    content=body,
                    headers={**own, **(headers or {})},
                    extensions={"trace": hook.trace},
                )
                async with request as response:
                    await self._check_response(response, server, reasons.policy, fields, sent)
                    yield response

    async def get(self, server: ServerAccount, path: str, limit: int = 0) -> bytes:
        """Send a GET request, and return up to `limit` bytes of the response. UpstreamError if it is an error."""
        async with self._open_client(server) as client:
            with upstream_errors(Reason.TIMEOUT_CONNECT):
                url, headers = endpoint_url(server, path), self._key_headers(server)
                async with client.stream("GET", url, headers=headers) as response:
                    if response.status_code in (404, 405):
                        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, f"HTTP {response.status_code}")
                    await self._check_response(response, server)
                    return await read_body(response, limit)

    async def _check_response(
        self,
        response: httpx.Response,
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

    def _open_client(self, server: ServerAccount) -> httpx.AsyncClient:
        # Their log lines contain URLs, which may contain a key.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        return httpx.AsyncClient(
            headers={"Accept-Encoding": "identity"},
            verify=self._tls,
            transport=open_transport(server.proxy, self._tls) if server.proxy else None,
            timeout=self._timeout,
            trust_env=False,
        )


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
    base = httpx.URL(server.base_url)
    own, _, query = base.raw_path.partition(b"?")
    added, _, parameters = path.encode().partition(b"?")
    queries = b"&".join(filter(None, (query, parameters)))
    return base.copy_with(raw_path=own.rstrip(b"/") + added + (b"?" + queries if queries else b""))


def excuse_account(error: UpstreamError) -> None:
    """Take the refusal of one model of several as its own: the account's others can be asked."""
    error.reason, error.elsewhere, error.retry_after = Reason.MODEL_NONE, True, RETRY_AFTER


def bearer_headers(server: ServerAccount) -> dict[bytes, bytes]:
    """Return the headers that carry the key, with Azure's own for its servers; bytes, since a key may be any text."""
    if not server.key:
        return {}
    key = server.key.encode()
    headers = {b"Authorization": b"Bearer " + key}
    if httpx.URL(server.base_url).host.endswith(".azure.com"):
        headers[b"api-key"] = key
    return headers


def _trace() -> dict[bytes, bytes]:
    """Return the header by which the server continues the current trace, if there is one."""
    traceparent = traces.current_traceparent()
    return {b"traceparent": traceparent.encode()} if traceparent else {}


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """Read up to `limit` bytes of a body."""
    body = b""
    if limit:
        async for chunk in decode_body(response):
            body += chunk
            if len(body) >= limit:
                break
    return body[:limit]


async def _read_error(response: httpx.Response, limit: float) -> bytes:
    """Read what arrives of an error's body within `limit` seconds; the status alone is mostly enough."""
    body = b""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(limit):
            async for chunk in decode_body(response):
                body += chunk
                if len(body) > _MAX_ERROR:
                    break
    return body[:_MAX_ERROR]
