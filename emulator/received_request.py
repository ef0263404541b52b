"""A request as it was received, for the ledger: bounded, and without secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from emulator.json_text import Json
from emulator.sent_pictures import SentPicture

MOST_TEXT = 20_000  # characters of each text that are kept
MOST_MESSAGES = 300_000  # characters of all messages, about; the oldest are left out
OMITTED = ("model", "messages", "system", "tools", "tool_choice", "response_format", "stream")
HEADERS = (
    "accept", "user-agent", "idempotency-key", "openai-beta", "openai-organization", "openai-project", "http-referer",
    "anthropic-beta", "anthropic-version", "traceparent",
)  # fmt: skip
SECRETS = ("x-api-key", "x-goog-api-key")


class ReceivedRequest(msgspec.Struct):
    """What was asked for, beside model and question. `parameters` are all other fields of the body."""

    messages: list[Any]
    system: Any = None
    tools: Any = None
    tool_choice: Any = None
    response_format: Any = None
    parameters: Json = {}
    pictures: list[Json] = []
    headers: dict[str, str] = {}


def describe(body: Json, headers: Mapping[str, str], pictures: Sequence[SentPicture]) -> ReceivedRequest:
    """Return what a request's body, its headers and its pictures contained."""
    listed = {"input": newest(body["input"])} if isinstance(body.get("input"), list) else {}
    seen = [{"media_type": one.media_type, "bytes": one.size, "url": one.url[:MOST_TEXT]} for one in pictures]
    return ReceivedRequest(
        messages=newest(body.get("messages") or []),
        system=shorten(body.get("system")),
        tools=shorten(body.get("tools")),
        tool_choice=shorten(body.get("tool_choice")),
        response_format=shorten(body.get("response_format")),
        parameters={name: shorten(value) for name, value in (body | listed).items() if name not in OMITTED},
        pictures=seen,
        headers={name.lower(): value[:MOST_TEXT] for name, value in headers.items() if is_listed(name.lower())},
    )


def is_listed(header: str) -> bool:
    """Return whether a header is kept: those that matter, and those of programs, but never a key."""
    return header in HEADERS or (header.startswith("x-") and header not in SECRETS)


def newest(messages: Sequence[Any]) -> list[Any]:
    """Return the newest messages, as many as there is room for."""
    listed: list[Any] = []
    room = MOST_MESSAGES
    for message in reversed(messages):
        short = shorten(message)
        room -= len(str(short))
        if room < 0 and listed:
            break
        listed.insert(0, short)
    return listed


def shorten(value: Any) -> Any:
    """Return a value with each text in it cut to its beginning and its length."""
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else f"{value[:MOST_TEXT]}… [{len(value)} characters]"
    if isinstance(value, list):
        return [shorten(item) for item in value]
    if isinstance(value, dict):
        return {name: shorten(item) for name, item in value.items()}
    return value
