"""Chat by any server that speaks the OpenAI API: streamed chat completions.

Such a server remembers nothing, so the conversation is what was said in it, told anew with each question; its state,
for whoever saves it, is empty.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import httpx
import msgspec

from wire.messages import Style
from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import BeforeSend, ChatUpdate, SavedConversation, Snapshot
from worker.providers.openai.client import FailureReasons, ServerClient, server_of
from worker.providers.openai.prompt import build_messages
from worker.providers.openai.sse import EventParser
from worker.providers.openai.stream import DONE, CompletionStream
from worker.providers.sent_mark import SendHook
from worker.providers.transcript import History, Recall, no_history
from worker.settings import WorkerSettings

_REASONS = FailureReasons(silence="timeout.idle", policy="question.refused")


class OpenAIProvider:
    """A chat provider (see worker.providers). It holds nothing between asks but one TLS context."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._endpoint = ServerClient(settings.connect_timeout)
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
        conversation: SavedConversation | None,  # noqa: ARG002 - there is nothing in it
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[ChatUpdate, None]:
        """Yield snapshots, then exactly one Completion. UpstreamError when it fails."""
        body = self._body(server_of(account).model, style, await recall(), question)
        completion = CompletionStream()
        asking = self._endpoint.post(account, "/chat/completions", body, SendHook(before_send), _REASONS)
        async with asking as response, aclosing(_snapshots(response, completion)) as snapshots:
            async for snapshot in snapshots:
                yield snapshot
        yield completion.completion(state=b"")

    async def check(self, account: Account) -> None:
        """Ask which models there are. UpstreamError if the server refuses, or says nothing of it."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._endpoint.get(account, "/models")
        except TimeoutError as error:
            raise UpstreamError("timeout.connect", "no answer in time") from error

    async def close(self) -> None:
        """Nothing is held."""

    def _body(self, model: str, style: Style, past: History, question: str) -> bytes:
        asked = {
            "model": model,
            "messages": build_messages(self._systems[style] or "", past, question, self._settings.openai_history),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if (temperature := self._temperatures[style]) is not None:
            asked["temperature"] = temperature
        return msgspec.json.encode(asked)


async def _snapshots(response: httpx.Response, completion: CompletionStream) -> AsyncGenerator[Snapshot, None]:
    """Read the answer to its end, and yield its text whenever a piece of the response has changed it.

    A server that thinks isn't silent: as long as it does, the text that there is comes again.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise UpstreamError("upstream.protocol", "not a stream of events")
    events, thoughts, shown = EventParser(), 0, ""
    async for piece in response.aiter_raw():
        failure = _take(events.feed(piece), completion)
        if completion.text != shown or completion.thoughts != thoughts:
            shown, thoughts = completion.text, completion.thoughts
            yield Snapshot(shown)
        if failure is not None:
            raise failure
        if completion.done:
            return
    # Some servers end with the last line, without the empty one.
    completion.done = any(data.strip() == DONE for data in events.end())


def _take(events: Iterable[str], completion: CompletionStream) -> UpstreamError | None:
    """What breaks the answer off, if anything does; the text before it is shown first."""
    try:
        for data in events:
            completion.read(data)
    except UpstreamError as error:
        return error
    return None
