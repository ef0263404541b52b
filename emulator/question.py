"""A question as a client sends it over the socket."""

import json
from dataclasses import dataclass
from typing import Any

from emulator.frames import SEPARATOR, Json


@dataclass(frozen=True)
class Question:
    """argument: the first argument of the type 4 record, as sent."""

    invocation: str
    argument: Json

    @property
    def conversation(self) -> str:
        return str(self.argument.get("conversationId") or "")

    @property
    def text(self) -> str:
        return str(self._message.get("text") or "")

    @property
    def locale(self) -> str:
        return str(self._message.get("locale") or "en-US")

    @property
    def context(self) -> str:
        """What the client tells beside its question, as a page that the reader has open; empty for nothing."""
        before = self.argument.get("previousMessages")
        told = [one.get("description") for one in before if isinstance(one, dict)] if isinstance(before, list) else []
        return "\n".join(one for one in told if isinstance(one, str))

    @property
    def tone(self) -> str | None:
        tone = self.argument.get("tone")
        return tone if isinstance(tone, str) else None

    @property
    def request_id(self) -> str:
        return str(self.argument.get("requestId") or self._message.get("requestId") or "")

    @property
    def _message(self) -> dict[str, Any]:
        message = self.argument.get("message")
        return message if isinstance(message, dict) else {}


def records(data: str) -> list[Json]:
    """The records in one message. Raises ValueError if one is no JSON object."""
    found = [json.loads(part) for part in data.split(SEPARATOR) if part]
    if not all(isinstance(one, dict) for one in found):
        raise ValueError("a record is not an object")
    return found


def question_in(record: Json) -> Question | None:
    """The question that a record asks, None if it is of another kind. Raises ValueError if it is malformed."""
    if record.get("type") != 4:
        return None
    arguments = record.get("arguments")
    if not isinstance(arguments, list) or not arguments or not isinstance(arguments[0], dict):
        raise ValueError("a question has no arguments")
    return Question(str(record.get("invocationId")), arguments[0])


def is_stop(record: Json) -> bool:
    return record.get("type") == 5 or (record.get("type") == 1 and record.get("target") == "stop")
