"""Debian's Firefox, by WebDriver BiDi, which it speaks itself: Playwright drives only a Firefox of its own."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

_LIMIT = 30.0
_READY = "document.documentElement.hasAttribute('data-ready')"


class Tab:
    """One page, by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._last_id = 0
        self._context = ""

    async def begin(self) -> None:
        await self._call("session.new", capabilities={})
        self._context = (await self._call("browsingContext.getTree"))["contexts"][0]["context"]

    async def go(self, url: str) -> None:
        await self._call("browsingContext.navigate", context=self._context, url=url, wait="complete")
        await self.until(_READY)

    async def reload(self) -> None:
        await self._call("browsingContext.reload", context=self._context, wait="complete")
        await self.until(_READY)

    async def evaluate(self, expression: str) -> Any:
        """What an expression comes to in the page: a text, a number, or whether it holds."""
        target = {"context": self._context}
        reply = await self._call("script.evaluate", expression=expression, target=target, awaitPromise=True)
        return reply["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        async with asyncio.timeout(_LIMIT):
            while not await self.evaluate(f"Boolean({expression})"):  # noqa: ASYNC110 - the page has no event to wait for
                await asyncio.sleep(0.05)

    async def type(self, text: str) -> None:
        """Press the keys of a text; a line's end is Enter."""
        keys = [*text.replace("\n", "\ue007")]
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        actions = [{"type": "key", "id": "keyboard", "actions": presses}]
        await self._call("input.performActions", context=self._context, actions=actions)

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last_id += 1
        await self._line.send(json.dumps({"id": self._last_id, "method": method, "params": params}))
        async with asyncio.timeout(_LIMIT):
            while (reply := json.loads(await self._line.recv())).get("id") != self._last_id:
                pass
        assert reply["type"] == "success", reply
        result: dict[str, Any] = reply["result"]
        return result


@asynccontextmanager
async def firefox(command: str, profile: Path) -> AsyncIterator[Tab]:
    """A tab of a Firefox without a window, which is ended afterwards."""
    options = ["--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    process = await asyncio.create_subprocess_exec(
        command, *options, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(_LIMIT):
            while not (
                address := re.search(rb"WebDriver BiDi listening on (ws://\S+)", await process.stderr.readline())
            ):
                pass
        draining = asyncio.create_task(process.stderr.read())
        async with connect(f"{address[1].decode()}/session", max_size=None) as line:
            tab = Tab(line)
            await tab.begin()
            yield tab
        draining.cancel()
    finally:
        process.terminate()
        await process.wait()
