"""Tokens that a server with Anthropic's API counts."""

import asyncio
from typing import Any

import msgspec
import pytest

from tests.support.conditions import SOON
from tests.support.worker.openai_server import OpenAIServer, Play, refusing
from wire.prompt import Message, Prompt, Text, Thought, Tool, ToolChoice
from worker.errors import UpstreamError
from worker.providers import CallProvider
from worker.providers.anthropic.messages import AnthropicProvider
from worker.providers.registry import PROVIDERS
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

QUESTION = Message("user", (Text("q"),), string=True)
COUNTED = refusing(200, {"input_tokens": 12, "more": True})


async def unmarked() -> None:
    """Let every call pass, as before_send."""


async def count(server: OpenAIServer, *messages: Message, **more: Any) -> bytes:
    prompt = Prompt(more.pop("dialect", "anthropic"), "alias", messages or (QUESTION,), **more)
    provider, body = AnthropicProvider(WorkerSettings()), msgspec.json.encode(prompt)
    async with asyncio.timeout(SOON):
        account = server.account(provider="anthropic")
        return (await provider.call(account, "count_tokens", "real", body, unmarked)).body


def test_the_table_knows_that_the_provider_counts_tokens() -> None:
    assert PROVIDERS["anthropic"].calls == {"count_tokens"}
    assert isinstance(AnthropicProvider(WorkerSettings()), CallProvider)


async def test_a_prompt_is_counted_with_its_tools_and_without_what_says_how_to_answer() -> None:
    async with OpenAIServer(COUNTED) as server:
        counted = await count(
            server,
            Message("system", (Text("s"),), string=True),
            QUESTION,
            tools=(Tool("function", "add", parameters={"type": "object"}),),
            tool_choice=ToolChoice("auto"),
            options={"max_tokens": 5, "temperature": 0.5, "stop": ["x"], "top_k": 3},
        )
    assert counted == b'{"input_tokens":12}'
    [request] = server.asked
    assert (request.method, request.target) == ("POST", "/v1/messages/count_tokens")
    assert request.json == {
        "model": "real",
        "messages": [{"role": "user", "content": "q"}],
        "system": "s",
        "tools": [{"name": "add", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
    }


async def test_earlier_thoughts_are_left_out_as_they_do_not_count() -> None:
    answer = Message("assistant", (Thought("hm", {"signature": "bad"}), Text("a")))
    async with OpenAIServer(COUNTED) as server:
        await count(server, QUESTION, answer, QUESTION)
    assert [message["content"] for message in server.asked[0].json["messages"]] == [
        "q",
        [{"type": "text", "text": "a"}],
        "q",
    ]


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (refusing(404, {"type": "error", "error": {"type": "not_found_error", "message": "x"}}), "model.unable"),
        (refusing(529, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), "upstream.busy"),
        (refusing(200, {"tokens": 1}), "upstream.protocol"),
        (refusing(200, {"input_tokens": -1}), "upstream.protocol"),
        (refusing(200, {"input_tokens": "1"}), "upstream.protocol"),
    ],
)
async def test_a_server_that_does_not_count_is_an_error(play: Play, reason: str) -> None:
    async with OpenAIServer(play) as server:
        with pytest.raises(UpstreamError) as caught:
            await count(server)
    assert caught.value.reason == reason


async def test_no_other_operation_is_known() -> None:
    async with OpenAIServer() as server:
        with pytest.raises(UpstreamError, match=r"model\.unable"):
            await AnthropicProvider(WorkerSettings()).call(server.account(), "embeddings", "m", b"{}", unmarked)
        assert server.asked == []
