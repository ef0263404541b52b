"""A stand-in without pauses, and clients for it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.emulator.client import Client


@pytest.fixture
async def bing() -> AsyncIterator[Emulator]:
    async with Emulator(EmulatorSettings(port=0, pace=0, daily_quota=0)) as emulator:
        yield emulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
def client(bing: Emulator, session: aiohttp.ClientSession) -> Client:
    return Client(session, bing.url, "a1")


@pytest.fixture
def stranger(bing: Emulator, session: aiohttp.ClientSession) -> Client:
    """A client that is not signed in."""
    return Client(session, bing.url, None)
