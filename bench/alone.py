"""What makes the answers, alone: its own cost is what a worker that uses it can't do without.

`python -m bench.alone synthetic`, or `edgegpt CREATE_URL CHAT_URL`, reads a plan from stdin and says what bench.client
says. EdgeGPT is used as it is, without our line below it.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
import msgspec
import uvloop

from bench import question as questions
from bench.client import say
from bench.load import Load, Outcome, Plan
from bench.question import Question

# Where the stamp stands in a text that ends with it.
_STAMP = slice(-20, -1)
_ACCOUNT = "bench0"

Texts = Callable[[Question], AsyncIterator[str]]


async def synthetic(question: Question) -> AsyncIterator[str]:
    """The text as the provider of bench.synthetic shows it."""
    text = ""
    async for piece in questions.pieces(question):
        text += piece
        yield text


class EdgeGPT:
    """Asks as the library's users did, against the emulator. Its constructors are left out: they cost 30 ms each."""

    def __init__(self, create_url: str, chat_url: str) -> None:
        from worker.providers.edgegpt import EdgeGPTProvider
        from worker.settings import WorkerSettings

        EdgeGPTProvider(WorkerSettings())  # imports the library, on machines without a route too
        chathub: Any = sys.modules["EdgeGPT.chathub"]
        chathub.aiohttp = aiohttp  # where the provider put its line
        self._chathub = chathub
        self._create_url = create_url
        self._chat_url = chat_url
        self._browser = httpx.AsyncClient(headers={"cookie": f"_U={_ACCOUNT}"}, timeout=30, trust_env=False)

    async def __call__(self, question: Question) -> AsyncIterator[str]:
        """The text as EdgeGPT shows it."""
        created = (await self._browser.get(self._create_url)).json()
        hub = self._chathub.ChatHub.__new__(self._chathub.ChatHub)
        hub.request = self._chathub.ChatHubRequest(
            created["conversationSignature"], created["clientId"], created["conversationId"]
        )
        hub.cookies, hub.proxy = [{"name": "_U", "value": _ACCOUNT}], None
        shown = ""
        asking = hub.ask_stream(prompt=str(question), wss_link=self._chat_url, conversation_style="balanced")
        async for final, text in asking:
            if not final and text != shown and text:
                shown = text
                yield text


async def run(plan: Plan, texts: Texts, tell: Callable[[str], None]) -> Outcome:
    """Ask as bench.client does. An answer with all its pieces is complete."""
    load, complete = Load(plan, tell), 0

    async def ask(number: int) -> None:
        nonlocal complete
        await asyncio.sleep(plan.opening * number / plan.streams)
        seen = 0
        async for text in texts(plan.question):
            load.arrived(time.time_ns(), [text[_STAMP].encode()], first=not seen)
            seen += 1
        load.left(opened=bool(seen))
        complete += seen == plan.deltas

    async with asyncio.timeout(plan.limit), asyncio.TaskGroup() as tasks:
        for number in range(plan.streams):
            tasks.create_task(ask(number))
    return Outcome(plan.streams, complete, plan.streams - complete, 0, {}, None, load.deltas, load.window())


if __name__ == "__main__":
    source = EdgeGPT(*sys.argv[2:]) if sys.argv[1] == "edgegpt" else synthetic
    read = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    say(msgspec.json.encode(uvloop.run(run(read, source, say))).decode())
