"""The openai package for Python before the emulator itself, on which tests of the gateway rely."""

import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from emulator.openai.server_styles import SERVERS
from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.emulator.test_sent_pictures import PNG, data_url
from tests.support.external.client import Client, client
from tests.support.external.programs import program_of

pytestmark = pytest.mark.external

QUESTION = 'hi !tool=weather {"city":"Paris"} !and=time {"zone":"CET"} !tool=weather {"city":"Rome"}'
RESULTS = {"weather": "sunny", "time": "noon"}
# Its helper for streams needs the index that these servers leave out; `no-tools` takes no tools.
WORKING = [name for name in SERVERS if not name.startswith(("calls-", "gemini", "ollama", "no-tools"))]


@pytest.fixture(scope="module")
def emulator_url() -> Iterator[str]:
    """The base address of an emulator in a thread of its own."""
    started, stop, urls = threading.Event(), threading.Event(), list[str]()

    async def serve() -> None:
        async with Emulator(EmulatorSettings(port=0, pace=0, daily_quota=0)) as emulator:
            urls.append(emulator.url)
            started.set()
            await anyio.to_thread.run_sync(stop.wait)

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    started.wait()
    yield urls[0]
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def sdk() -> Iterator[Client]:
    with client("openai_program", program_of("openai"), {}) as running:
        yield running


def job(sdk: Client, do: str, url: str, model: str = "stand-in", **fields: Any) -> dict[str, Any]:
    return sdk.do(do, url, **{"key": "k1", "model": model, "question": "hi", "results": RESULTS, **fields})


@pytest.mark.parametrize("name", WORKING)
def test_rounds_of_calls_go_through_as_each_server_writes_them(sdk: Client, emulator_url: str, name: str) -> None:
    outcome = job(sdk, "tools", emulator_url, f"stand-in-{name}", question=QUESTION)
    assert outcome["calls"] == [
        ["weather", {"city": "Paris"}],
        ["time", {"zone": "CET"}],
        ["weather", {"city": "Rome"}],
    ]
    assert outcome["text"].splitlines() == [
        f"{tool} returned: {RESULTS[tool]}" for tool in ("weather", "time", "weather")
    ]


@pytest.mark.parametrize("do", ["schema", "forced"])
def test_schemas_are_filled(sdk: Client, emulator_url: str, do: str) -> None:
    assert set(job(sdk, do, emulator_url, "stand-in-openai")["value"]) == {"name", "age"}


def test_a_picture_is_described(sdk: Client, emulator_url: str) -> None:
    assert f"image/png, {len(PNG)} bytes, 64x64" in job(sdk, "picture", emulator_url, picture=data_url(PNG))["text"]
