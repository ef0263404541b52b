"""A question as a client sends it over the socket."""

import json
from dataclasses import dataclass

from emulator.bing.frames import SEPARATOR
from emulator.json_text import Json


@dataclass(frozen=True)
class ChatQuestion:
    """One question. argument: the first argument of the type 4 record, as sent."""

    invocation: str
    argument: Json

    @property
    def conversation(self) -> str:
        """The id of the conversation that the question names."""
        return str(self.argument.get("conversationId") or "")

    @property
    def text(self) -> str:
        """The question itself."""
        return str(self._message.get("text") or "")

    @property
    def locale(self) -> str:
        """The language and country of the client."""
        return str(self._message.get("locale") or "en-US")

    @property
    def context(self) -> str:
        """What the client sends beside its question, as a page that the reader has open; empty for nothing."""
        before = self.argument.get("previousMessages")
        pages = [page for page in before if isinstance(page, dict)] if isinstance(before, list) else []
        descriptions = [page.get("description") for page in pages]
        return "\n".join(text for text in descriptions if isinstance(text, str))

    @property
    def tone(self) -> str | None:
        """The style asked for, as the client named it."""
        tone = self.argument.get("tone")
        return tone if isinstance(tone, str) else None

    @property
    def request_id(self) -> str:
        """The id of the request, which the answer repeats."""
        return str(self.argument.get("requestId") or self._message.get("requestId") or "")

    @property
    def _message(self) -> Json:
        message = self.argument.get("message")
        return message if isinstance(message, dict) else {}


def read_records(data: str) -> list[Json]:
    """Return the records in one message. Raises ValueError if one is no JSON object."""
    records = [json.loads(part) for part in data.split(SEPARATOR) if part]
    if not all(isinstance(record, dict) for record in records):
        raise ValueError("a record is not an object")
    return records


def read_question(record: Json) -> ChatQuestion | None:
    """Return the question that a record asks, None if it is of another kind. Raises ValueError if it is malformed."""
    if record.get("type") != 4:
        return None
    arguments = record.get("arguments")
    if not isinstance(arguments, list) or not arguments or not isinstance(arguments[0], dict):
        raise ValueError("a question has no arguments")
    return ChatQuestion(str(record.get("invocationId")), arguments[0])


def is_stop(record: Json) -> bool:
    """Return whether a record asks to stop the answer."""
    return record.get("type") == 5 or (record.get("type") == 1 and record.get("target") == "stop")
