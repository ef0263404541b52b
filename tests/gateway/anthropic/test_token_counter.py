"""The estimate of a question's tokens."""

import pytest

from gateway.anthropic.requests import parse_prompt
from gateway.anthropic.token_counter import TokenCounter
from tests.support.gateway.anthropic_client import ask

pytestmark = pytest.mark.anyio


async def test_a_token_is_four_bytes_and_tools_and_pictures_count() -> None:
    count = TokenCounter().count
    plain = await count(parse_prompt(ask("x" * 400)))
    assert plain == 100
    assert await count(parse_prompt(ask("x" * 400, system="y" * 40))) == 110
    assert await count(parse_prompt(ask("x" * 400, tools=[{"name": "add", "description": "z" * 40}]))) > 110
    picture = {"type": "image", "source": {"type": "url", "url": "https://e.org"}}
    assert await count(parse_prompt(ask() | {"messages": [{"role": "user", "content": [picture]}]})) == 765
