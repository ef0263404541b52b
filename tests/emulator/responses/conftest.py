"""A client with a key, before an emulator without pauses."""

from collections.abc import AsyncIterator

import pytest

from emulator.server import Emulator
from tests.support.emulator.openai_client import connect
from tests.support.emulator.responses_client import ResponsesClient


@pytest.fixture
async def asker(upstream: Emulator) -> AsyncIterator[ResponsesClient]:
    async with connect(upstream.openai_url) as http:
        yield ResponsesClient(http)
