"""Chat with any server that has the OpenAI API, by streamed chat completions.

Such a server keeps no conversations: each request contains all messages, and the saved state is empty.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import replace

import httpx
import msgspec
import structlog

from wire.messages import Style
from wire.reasons import Reason
from worker.accounts.account import NO_TEMPERATURE, Account, ServerAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend, SavedConversation, Snapshot, TextUpdate, require_server
from worker.providers.openai.client import ERROR_TIMEOUT, FailureReasons, ServerClient
from worker.providers.openai.content_encoding import decode_body
from worker.providers.openai.parameters import STREAM, STREAM_OPTIONS, TEMPERATURE
from worker.providers.openai.prompt import build_messages
from worker.providers.openai.reader import CompletionReader
from worker.providers.openai.stream import CompletionStream
from worker.providers.openai.thoughts import remove_thoughts
from worker.providers.sent_mark import SendHook
from worker.providers.transcript import Recall, no_history
from worker.settings import WorkerSettings

_LOG = structlog.get_logger()
_REASONS = FailureReasons(silence=Reason.TIMEOUT_IDLE, policy=Reason.QUESTION_REFUSED)
# Seconds to wait for what may follow a finish_reason: the usage and the end.
GRACE = 1.0


class OpenAIProvider:
    """A chat provider (see worker.providers) that keeps nothing between questions but one TLS context.

    The body of an error may take `error_timeout` seconds, and what follows a finish_reason `grace`.
    """

    stateless = True

    def __init__(self, settings: WorkerSettings, *, error_timeout: float = ERROR_TIMEOUT, grace: float = GRACE) -> None:
        self._settings = settings
        self._client = ServerClient(settings.connect_timeout, error_timeout=error_timeout)
        # By the account's fingerprint: the fields that its server has refused.
        self._omitted: dict[str, set[str]] = {}
        self._grace = min(grace, settings.idle_timeout / 2)
        self._systems = {
            "balanced": settings.openai_system_balanced,
            "creative": settings.openai_system_creative,
            "precise": settings.openai_system_precise,
        }
        self._temperatures = {
            "balanced": settings.openai_temperature_balanced,
            "creative": settings.openai_temperature_creative,
            "precise": settings.openai_temperature_precise,
        }

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,  # noqa: ARG002 - its state is empty
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[TextUpdate, None]:
        """Yield snapshots, then exactly one Completion. UpstreamError when it fails."""
        server = require_server(account)
        messages = build_messages(
            self._systems[style] or "",
            await recall(),
            question,
            self._settings.openai_history,
            placement=server.system,
        )
        extras = self._extras(server, style)
        body = msgspec.json.encode({"model": server.model, "messages": messages, **extras})
        completion = CompletionStream(server.key)
        request = self._client.post(server, "/chat/completions", body, SendHook(before_send), _REASONS)
        try:
            async with request as response, aclosing(_snapshots(response, completion, self._grace)) as snapshots:
                async for snapshot in snapshots:
                    yield Snapshot(remove_thoughts(snapshot.text, whole=False)) if server.think_tags else snapshot
        except UpstreamError as error:
            self._omit_parameter(server, extras, error)
            raise
        ended = completion.completion(state=b"")
        yield replace(ended, text=remove_thoughts(ended.text, whole=True)) if server.think_tags else ended

    async def check(self, account: Account) -> None:
        """Request the list of models. UpstreamError if the server refuses or doesn't answer."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._client.get(require_server(account), "/models")
        except TimeoutError as error:
            raise UpstreamError(Reason.TIMEOUT_CONNECT, "no answer in time") from error

    async def close(self) -> None:
        """Do nothing: no resources are held."""

    def _extras(self, server: ServerAccount, style: Style) -> dict[str, object]:
        """Return the fields of a request beyond what the client asks for, as far as the server takes them."""
        temperature = getattr(server.temperatures, style)
        if temperature is None:
            temperature = self._temperatures[style]
        omitted = self._omitted.get(server.fingerprint, ())
        extras: dict[str, object] = {}
        if server.stream and STREAM not in omitted:
            extras[STREAM] = True
        if extras and server.stream_options:
            extras[STREAM_OPTIONS] = {"include_usage": True}
        if temperature is not None and temperature != NO_TEMPERATURE:
            extras[TEMPERATURE] = temperature
        return {name: value for name, value in extras.items() if name not in omitted}

    def _omit_parameter(self, server: ServerAccount, extras: Collection[str], error: UpstreamError) -> None:
        """Leave out a field of ours that the server refuses, from now on; the question may be repeated without it."""
        if not error.refused or error.parameter not in extras:
            return
        error.repeat = True
        omitted = self._omitted.setdefault(server.fingerprint, set())
        if error.parameter not in omitted:
            omitted.add(error.parameter)
            _LOG.warning("server refuses a parameter, no longer sent", account=server.name, parameter=error.parameter)


async def _snapshots(
    response: httpx.Response, completion: CompletionStream, grace: float
) -> AsyncGenerator[Snapshot, None]:
    """Read the answer to its end, and yield its text with whatever arrives: all that does is a sign of life.

    Once the server has sent a finish_reason, `grace` is for how many seconds the rest is waited for.
    """
    reader = CompletionReader(completion, response.headers.get("content-type", ""))
    shown = ""
    async with aclosing(_chunks(response, completion, grace)) as chunks:
        async for chunk in chunks:
            failure = reader.feed(chunk)
            if failure is None or completion.text != shown:
                shown = completion.text
                yield Snapshot(shown)
            if failure is not None:
                raise failure
            if completion.done:
                return
    if (failure := reader.end()) is not None:
        raise failure


async def _chunks(response: httpx.Response, completion: CompletionStream, grace: float) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of the response. Once the answer has ended, a cut and silence are the response's end.

    Some servers send a finish_reason with each piece of text: each piece gets the grace anew.
    """
    chunks, deadline, length = decode_body(response), None, -1
    while True:
        if completion.ended and len(completion.text) > length:
            deadline, length = asyncio.get_running_loop().time() + grace, len(completion.text)
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except (TimeoutError, httpx.HTTPError):
            if not completion.ended:
                raise
            return
        yield chunk
