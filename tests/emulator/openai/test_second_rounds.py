"""What certain servers refuse, over HTTP: above all rounds after a call that lack what the server gave."""

from copy import deepcopy
from typing import Any

import pytest

from emulator.json_text import Json
from emulator.openai.signatures import sign_call
from emulator.server import Emulator
from tests.emulator.openai.test_replies import WEATHER
from tests.support.emulator.openai_client import OpenaiClient, OpenaiReply

pytestmark = pytest.mark.anyio

QUESTION: Json = {"role": "user", "content": 'hi !tool=get_weather {"city":"Paris"} !tool=get_weather'}


async def send(asker: OpenaiClient, server: str, *messages: Json, **fields: Any) -> OpenaiReply:
    body = {"model": f"stand-in-{server}", "messages": [QUESTION, *messages], "tools": [WEATHER], **fields}
    return await asker.send({name: value for name, value in body.items() if value is not None})


async def first_round(asker: OpenaiClient, server: str) -> tuple[Json, Json]:
    """Return the message with a server's call, as a client would send it back, and its result."""
    message = (await send(asker, server)).message
    sent = {name: value for name, value in message.items() if name != "refusal"}
    call_id = sent["tool_calls"][0].get("id", "")
    return sent, {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


def error(reply: OpenaiReply) -> Any:
    """Return an error, out of the list that Gemini puts it in."""
    body: Any = reply.json
    return body[0]["error"] if isinstance(body, list) else body["error"]


SERVERS = ("gemini", "deepseek", "openrouter", "ollama", "vllm", "llama-cpp", "openai")


@pytest.mark.parametrize("server", SERVERS)
async def test_rounds_go_on_if_all_is_sent_back(asker: OpenaiClient, server: str) -> None:
    messages: list[Json] = []
    for _ in range(2):
        reply = await send(asker, server, *messages)
        assert reply.status == 200, reply.body
        message = {name: value for name, value in reply.message.items() if name != "refusal"}
        messages += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sunny"}]
    last = await send(asker, server, *messages)
    assert "get_weather returned: sunny" in last.message["content"]


def without_signature(message: Json) -> None:
    del message["tool_calls"][0]["extra_content"]


def with_another_models_signature(message: Json) -> None:
    signature = sign_call("another", "get_weather", '{"city":"Paris"}')
    message["tool_calls"][0]["extra_content"]["google"]["thought_signature"] = signature


def without_thoughts(message: Json) -> None:
    del message["reasoning_content"]


def without_details(message: Json) -> None:
    del message["reasoning_details"]


def with_changed_details(message: Json) -> None:
    message["reasoning_details"][0]["text"] += "!"


@pytest.mark.parametrize(
    ("server", "change", "reason"),
    [
        ("gemini", without_signature, "missing a thought_signature"),
        ("gemini", with_another_models_signature, "Corrupted thought signature"),
        ("deepseek", without_thoughts, "Missing `reasoning_content` field in the assistant message at message index 1"),
        ("openrouter", without_details, "Provider returned error"),
        ("openrouter", with_changed_details, "Provider returned error"),
    ],
)
async def test_a_round_that_lacks_what_the_server_gave_is_refused(
    asker: OpenaiClient, upstream: Emulator, server: str, change: Any, reason: str
) -> None:
    message, result = await first_round(asker, server)
    changed = deepcopy(message)
    change(changed)
    reply = await send(asker, server, changed, result)
    assert (reply.status, upstream.ledger.turns[-1].outcome) == (400, "InvalidRequest")
    assert reason in error(reply)["message"]
    assert (await send(asker, server, message, result)).status == 200


@pytest.mark.parametrize(("server", "change"), [("gemini", without_signature), ("deepseek", without_thoughts)])
async def test_turns_that_are_over_need_it_no_more(asker: OpenaiClient, server: str, change: Any) -> None:
    message, result = await first_round(asker, server)
    change(message)
    after = [{"role": "assistant", "content": "Sunny."}, {"role": "user", "content": "thanks"}]
    assert (await send(asker, server, message, result, *after)).status == 200


async def test_details_may_come_back_as_they_were_streamed(asker: OpenaiClient) -> None:
    stream = await send(asker, "openrouter", stream=True)
    details = [entry for choice in stream.choices for entry in choice["delta"].get("reasoning_details", ())]
    assert len(details) > 1
    message, result = await first_round(asker, "openrouter")
    assert (await send(asker, "openrouter", {**message, "reasoning_details": details}, result)).status == 200


async def test_gemini_takes_calls_of_others_with_a_word(asker: OpenaiClient) -> None:
    message, result = await first_round(asker, "gemini")
    google = {"thought_signature": "skip_thought_signature_validator"}
    message["tool_calls"][0]["extra_content"] = {"google": google}
    assert (await send(asker, "gemini", message, result)).status == 200


async def test_mistral_refuses_unknown_fields_by_their_place(asker: OpenaiClient) -> None:
    answer = {"role": "assistant", "content": "x", "reasoning_content": "y"}
    reply = await send(asker, "mistral", answer, QUESTION, max_completion_tokens=5)
    assert reply.status == 422
    assert [entry["loc"] for entry in reply.json["message"]["detail"]] == [
        ["body", "max_completion_tokens"],
        ["body", "messages", 1, "assistant", "reasoning_content"],
    ]
    assert {entry["type"] for entry in reply.json["message"]["detail"]} == {"extra_forbidden"}


async def test_mistral_refuses_ids_that_it_could_not_have_made(asker: OpenaiClient) -> None:
    message, result = await first_round(asker, "mistral")
    assert (await send(asker, "mistral", message, result)).status == 200
    message["tool_calls"][0]["id"] = result["tool_call_id"] = "call_123"
    reply = await send(asker, "mistral", message, result)
    assert (reply.status, "length of 9" in reply.json["message"]) == (400, True)


async def test_groq_refuses_thoughts_in_anothers_field(asker: OpenaiClient) -> None:
    message, result = await first_round(asker, "groq")
    assert (await send(asker, "groq", message, result)).status == 200
    reply = await send(asker, "groq", {**message, "reasoning_content": "x"}, result)
    assert (reply.status, "'reasoning_content' is unsupported" in error(reply)["message"]) == (400, True)


@pytest.mark.parametrize(
    ("server", "fields", "param"),
    [
        ("openai", {"top_k": 5}, None),
        ("openai", {"messages": [{**QUESTION, "extra": 1}]}, "messages[0].extra"),
        ("openai-reasoning", {"max_tokens": 5}, "max_tokens"),
        ("openai-reasoning", {"temperature": 0.5}, "temperature"),
        ("openai-reasoning", {"logprobs": True}, "logprobs"),
        ("no-tools", {}, None),
        ("no-tools", {"tools": None, "functions": [WEATHER["function"]]}, None),
    ],
)
async def test_parameters_that_a_server_does_not_take_are_named(
    asker: OpenaiClient, server: str, fields: Json, param: str | None
) -> None:
    reply = await send(asker, server, **fields)
    assert (reply.status, error(reply)["param"]) == (400, param)
    name = param or next(name for name in ("top_k", "functions", "tools") if name in error(reply)["message"])
    assert name in error(reply)["message"]


@pytest.mark.parametrize("server", ["openai", "openai-reasoning"])
async def test_what_openai_takes_is_taken(asker: OpenaiClient, server: str) -> None:
    fields = {"temperature": 1, "max_completion_tokens": 50, "seed": 1, "store": False, "user": "somebody"}
    assert (await send(asker, server, **fields)).status == 200
