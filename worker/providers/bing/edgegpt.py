"""Bing Chat through EdgeGPT, used unmodified.

EdgeGPT builds each question, performs the handshake and drives the exchange. Only its module's name `aiohttp` is
replaced, by our ChatHubSession. Its constructors are not used: they create TLS contexts (30 ms of CPU each), read the
environment's proxies, and retry the creation of a conversation 900 times.
"""

import asyncio
import socket
import sys
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx

from wire.messages import Style
from wire.reasons import Reason
from worker.accounts.account import Account, CookieAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend, SavedConversation, Snapshot, TextUpdate, require_cookies
from worker.providers.bing.citations import CitationFilter, remove_citations
from worker.providers.bing.conversation import (
    BingConversation,
    decode_conversation,
    encode_conversation,
    parse_creation,
)
from worker.providers.bing.reply import BingReply
from worker.providers.bing.socket import ChatHubSession, ChatHubSocket
from worker.providers.http import open_browser, upstream_errors
from worker.providers.transcript import Recall, no_history, render_history
from worker.settings import WorkerSettings

# The invocation id of a conversation's first question, by which EdgeGPT recognises a new conversation.
FIRST_INVOCATION = 3
# The limit of the response to a conversation's creation, in bytes; a real one has less than 2 kB, pages of errors more.
MAX_CREATION = 1024 * 1024
# How many characters of an answer's texts may be sent in place of earlier ones.
MAX_REPLACED = 16 * 1024 * 1024


class EdgeGPTProvider:
    """A chat provider (see worker.providers) that keeps nothing between questions but EdgeGPT's TLS context."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._edgegpt = _load_edgegpt()

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[TextUpdate, None]:
        """Yield snapshots, then exactly one Completion. UpstreamError when it fails."""
        signed_in = require_cookies(account)
        deadline = asyncio.get_running_loop().time() + self._settings.connect_timeout
        if conversation is None:
            context = render_history(await recall())
            bing, sent = await self._create(signed_in, deadline), 0
        else:
            context, bing, sent = "", decode_conversation(conversation.state), conversation.sent
        reply = BingReply()
        address, tls = bing.address(self._settings.bing_chat_url), self._edgegpt.chathub.ssl_context
        hub_socket = ChatHubSocket(address, signed_in, tls, deadline, before_send, reply)
        hub = self._hub(bing, FIRST_INVOCATION + sent)
        # Earlier messages can only be sent as a page that the user has open.
        stream = hub.ask_stream(
            prompt=question, wss_link=hub_socket, conversation_style=style, raw=True, webpage_context=context or None
        )
        citations, read, shown, failure, replaced = CitationFilter(), "", "", None, 0
        async with _closing(stream, hub_socket):
            # Run EdgeGPT until its stream ends, and yield the reply's text whenever it has changed.
            try:
                async for _ in stream:
                    # With its marks, which take their time where nothing is left without them.
                    replaced += 0 if reply.text.startswith(read) else len(reply.text)
                    if replaced > MAX_REPLACED:
                        raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer that changes without end")
                    read = reply.text
                    if (text := citations.update(read)) != shown:
                        shown = text
                        yield Snapshot(shown)
            except Exception as error:  # noqa: BLE001 - EdgeGPT raises bare Exceptions
                failure = error
            if (text := remove_citations(reply.text)) != shown:
                yield Snapshot(text)
            _raise_failure(failure, hub_socket, reply)
        yield reply.completion(encode_conversation(bing))

    async def check(self, account: Account) -> None:
        """Create a conversation, without a question. UpstreamError if that fails."""
        await self._create(require_cookies(account), asyncio.get_running_loop().time() + self._settings.connect_timeout)

    async def close(self) -> None:
        """Do nothing: no resources are held."""

    async def _create(self, account: CookieAccount, deadline: float) -> BingConversation:
        url = self._settings.bing_create_url
        chathub = self._edgegpt.chathub
        browser = open_browser(
            account,
            url,
            chathub.HEADERS_INIT_CONVER,
            chathub.ssl_context,
            httpx.Timeout(self._settings.connect_timeout),
            MAX_CREATION,
        )
        with upstream_errors(Reason.TIMEOUT_CONNECT):
            try:
                async with asyncio.timeout_at(deadline), browser:
                    response = await browser.get(url, follow_redirects=True)
            except TimeoutError as error:
                raise UpstreamError(Reason.TIMEOUT_CONNECT, "no conversation in time") from error
        return parse_creation(response.status_code, response.headers, response.content)

    def _hub(self, bing: BingConversation, invocation: int) -> Any:
        hub = self._edgegpt.chathub.ChatHub.__new__(self._edgegpt.chathub.ChatHub)
        hub.request = self._edgegpt.request(bing.signature, bing.client_id, bing.conversation_id, invocation)
        hub.cookies = hub.proxy = None
        return hub


@asynccontextmanager
async def _closing(stream: AsyncGenerator[Any, None], hub_socket: ChatHubSocket) -> AsyncIterator[None]:
    """Stop EdgeGPT and disconnect at the end of the block."""
    try:
        async with aclosing(stream):
            yield
    finally:
        await hub_socket.close()


def _raise_failure(failure: Exception | None, hub_socket: ChatHubSocket, reply: BingReply) -> None:
    """Raise what ended the turn early, if anything did; EdgeGPT's errors after the final frame are ignored."""
    if failure is None or (reply.ended and failure is not hub_socket.veto):
        return
    if isinstance(failure, UpstreamError) or failure is hub_socket.veto:
        raise failure
    raise UpstreamError(Reason.UPSTREAM_PROTOCOL, f"EdgeGPT: {failure}") from failure


@dataclass(frozen=True)
class _EdgeGPT:
    """The parts of the library that are used."""

    chathub: ModuleType
    request: type[Any]


def _load_edgegpt() -> _EdgeGPT:
    """Import EdgeGPT, and replace its module's name `aiohttp` with our session. Repeating this is harmless."""
    with _no_route_needed():
        import EdgeGPT.constants
    with warnings.catch_warnings():
        # The library's own warnings: pkg_resources is deprecated, and newer Pythons report more.
        warnings.simplefilter("ignore")
        import EdgeGPT.chathub
        import EdgeGPT.request
    for headers in (EdgeGPT.constants.HEADERS, EdgeGPT.constants.HEADERS_INIT_CONVER):
        # It contains the machine's address inside its network, which the upstream needn't know.
        headers.pop("x-forwarded-for", None)
    EdgeGPT.chathub.aiohttp = SimpleNamespace(ClientSession=ChatHubSession)

    class _QuietRequest(EdgeGPT.request.ChatHubRequest):  # type: ignore[misc]  # the library has no types
        def update(self, **question: Any) -> None:
            with warnings.catch_warnings():
                # It calls datetime.utcnow(), deprecated since Python 3.12.
                warnings.simplefilter("ignore", DeprecationWarning)
                super().update(**question)

    return _EdgeGPT(EdgeGPT.chathub, _QuietRequest)


@contextmanager
def _no_route_needed() -> Iterator[None]:
    """Let EdgeGPT be imported on a machine without a route: its import opens a socket to 8.8.8.8.

    During the import the module `socket` is replaced by one whose connections always succeed.
    """
    reachable = SimpleNamespace(connect=lambda _: None, getsockname=lambda: ("",), close=lambda: None)
    stand_in: Any = SimpleNamespace(AF_INET=0, SOCK_DGRAM=0, socket=lambda *_: reachable)
    sys.modules["socket"] = stand_in
    try:
        yield
    finally:
        sys.modules["socket"] = socket
