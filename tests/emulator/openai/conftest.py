"""A client with a key, before a stand-in without pauses."""

from collections.abc import AsyncIterator

import pytest

from emulator.server import Emulator
from tests.emulator.openai.client import Client, client


@pytest.fixture
async def asker(bing: Emulator) -> AsyncIterator[Client]:
    async with client(bing.openai_url) as http:
        yield Client(http)
