"""What makes the answers, alone: its own cost is the least that a worker which uses it can have.

`python -m bench.clients.alone synthetic`, or `edgegpt CREATE_URL CHAT_URL`, reads a plan from stdin and writes what
bench.clients.client writes. EdgeGPT is used as it is, without our socket below it.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import aiohttp
import httpx

from bench import question as questions
from bench.clients.load import LoadOutcome, LoadPlan, LoadRecorder
from bench.clients.stdio import run_plan, send_line
from bench.question import Question

# The place of the stamp in a text that ends with it.
_STAMP = slice(-20, -1)
_ACCOUNT = "bench0"

TextSource = Callable[[Question], AsyncIterator[str]]


async def synthetic(question: Question) -> AsyncIterator[str]:
    """Yield the growing text as the provider of bench.synthetic shows it."""
    text = ""
    async for piece in questions.pieces(question):
        text += piece
        yield text


class EdgeGPTSource:
    """Asks the emulator as the library's users do. The library's constructors are left out: they cost 30 ms each."""

    def __init__(self, create_url: str, chat_url: str) -> None:
        from worker.providers.bing.edgegpt import EdgeGPTProvider
        from worker.settings import WorkerSettings

        EdgeGPTProvider(WorkerSettings())  # imports the library, on machines without a route too
        chathub: Any = sys.modules["EdgeGPT.chathub"]
        chathub.aiohttp = aiohttp  # where the provider put its socket
        self._chathub = chathub
        self._create_url = create_url
        self._chat_url = chat_url
        self._browser = httpx.AsyncClient(headers={"cookie": f"_U={_ACCOUNT}"}, timeout=30, trust_env=False)

    async def __call__(self, question: Question) -> AsyncIterator[str]:
        """Yield the growing text as EdgeGPT shows it."""
        created = (await self._browser.get(self._create_url)).json()
        hub = self._chathub.ChatHub.__new__(self._chathub.ChatHub)
        hub.request = self._chathub.ChatHubRequest(
            created["conversationSignature"], created["clientId"], created["conversationId"]
        )
        hub.cookies, hub.proxy = [{"name": "_U", "value": _ACCOUNT}], None
        shown = ""
        updates = hub.ask_stream(prompt=str(question), wss_link=self._chat_url, conversation_style="balanced")
        async for final, text in updates:
            if not final and text != shown and text:
                shown = text
                yield text


async def run(plan: LoadPlan, source: TextSource, notify: Callable[[str], None]) -> LoadOutcome:
    """Ask as bench.clients.client does. An answer with all its pieces is complete."""
    recorder, complete = LoadRecorder(plan, notify), 0

    async def ask(number: int) -> None:
        nonlocal complete
        await asyncio.sleep(plan.opening * number / plan.streams)
        count = 0
        async for text in source(plan.question):
            recorder.record_event(time.time_ns(), [text[_STAMP].encode()], first=not count)
            count += 1
        recorder.record_end(opened=bool(count))
        complete += count == plan.deltas

    async with asyncio.timeout(plan.limit), asyncio.TaskGroup() as tasks:
        for number in range(plan.streams):
            tasks.create_task(ask(number))
    return LoadOutcome(plan.streams, complete, plan.streams - complete, 0, {}, None, recorder.deltas, recorder.window())


if __name__ == "__main__":
    chosen = EdgeGPTSource(*sys.argv[2:]) if sys.argv[1] == "edgegpt" else synthetic
    run_plan(LoadPlan, partial(run, source=chosen, notify=send_line))
