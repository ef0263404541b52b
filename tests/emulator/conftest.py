"""An emulator without pauses, and clients for it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.emulator.bing_client import BingClient


@pytest.fixture
async def upstream() -> AsyncIterator[Emulator]:
    async with Emulator(EmulatorSettings(port=0, pace=0, daily_quota=0)) as emulator:
        yield emulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
def client(upstream: Emulator, session: aiohttp.ClientSession) -> BingClient:
    return BingClient(session, upstream.url, "a1")


@pytest.fixture
def stranger(upstream: Emulator, session: aiohttp.ClientSession) -> BingClient:
    """Return a client that is not signed in."""
    return BingClient(session, upstream.url, None)
