"""A client with a key, before an emulator without pauses."""

from collections.abc import AsyncIterator

import pytest

from emulator.server import Emulator
from tests.support.emulator.anthropic_client import AnthropicClient, connect


@pytest.fixture
async def asker(upstream: Emulator) -> AsyncIterator[AnthropicClient]:
    async with connect(upstream.openai_url) as http:
        yield AnthropicClient(http)
