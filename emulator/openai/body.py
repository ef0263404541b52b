"""The body of a request for a chat completion, checked as a compatible server does. Pure."""

import json
from dataclasses import dataclass

from emulator.frames import Json
from emulator.openai import problem
from emulator.openai.messages import ROLES, Message
from emulator.openai.problem import Problem, ProblemError

PRECISE = 0.5  # a lower temperature asks for a precise answer
CREATIVE = 0.9  # a higher one for a creative answer


@dataclass(frozen=True)
class Body:
    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    temperature: float | None = None

    @property
    def tone(self) -> str | None:
        """The style that the temperature stands for, named as Bing names it; None if none was sent."""
        if self.temperature is None:
            return None
        if self.temperature < PRECISE:
            return "Precise"
        return "Creative" if self.temperature > CREATIVE else "Balanced"


def load(data: bytes) -> Json:
    """The object in a body. Raises ProblemError."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ProblemError(problem.no_json()) from error
    if not isinstance(value, dict):
        raise ProblemError(problem.no_json())
    return value


def parse(data: bytes) -> Body:
    """Raises ProblemError, for the first thing that is wrong."""
    value = load(data)
    model = value.get("model")
    if not model:
        raise ProblemError(Problem(400, "you must provide a model parameter"))
    if not isinstance(model, str):
        raise ProblemError(problem.wrong_type("model", "a string"))
    stream = flag(value, "stream")
    options = value.get("stream_options")
    if options is not None and not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ProblemError(Problem(400, message, param="stream_options"))
    if options is not None and not isinstance(options, dict):
        raise ProblemError(problem.wrong_type("stream_options", "an object"))
    usage = flag(options or {}, "include_usage")
    return Body(model, messages(value), stream, usage, temperature(value))


def flag(value: Json, name: str) -> bool:
    given = value.get(name)
    if given is not None and not isinstance(given, bool):
        raise ProblemError(problem.wrong_type(name, "a boolean"))
    return bool(given)


def temperature(value: Json) -> float | None:
    given = value.get("temperature")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ProblemError(problem.wrong_type("temperature", "a number"))
    if not 0 <= given <= 2:
        raise ProblemError(problem.wrong_value("temperature", "a number from 0 to 2"))
    return float(given)


def messages(value: Json) -> tuple[Message, ...]:
    given = value.get("messages")
    if given is None:
        raise ProblemError(problem.missing("messages"))
    if not isinstance(given, list):
        raise ProblemError(problem.wrong_type("messages", "an array"))
    if not given:
        raise ProblemError(Problem(400, "Invalid 'messages': empty array.", code="empty_array", param="messages"))
    return tuple(message(one, f"messages[{number}]") for number, one in enumerate(given))


def message(value: object, where: str) -> Message:
    if not isinstance(value, dict):
        raise ProblemError(problem.wrong_type(where, "an object"))
    role = value.get("role")
    if role is None:
        raise ProblemError(problem.missing(f"{where}.role"))
    if role not in ROLES:
        raise ProblemError(problem.wrong_value(f"{where}.role", "one of " + ", ".join(ROLES)))
    content = value.get("content")
    if content is None:
        if role != "assistant":
            raise ProblemError(problem.wrong_type(f"{where}.content", "a string or an array"))
        return Message(role, "")
    return Message(role, text_of(content, f"{where}.content"))


def text_of(content: object, where: str) -> str:
    """A content's text: the string itself, or its parts of text; pictures and sounds are passed over."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ProblemError(problem.wrong_type(where, "a string or an array"))
    texts = []
    for number, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise ProblemError(problem.wrong_type(f"{where}[{number}]", "an object with a type"))
        if part["type"] == "text":
            if not isinstance(part.get("text"), str):
                raise ProblemError(problem.wrong_type(f"{where}[{number}].text", "a string"))
            texts.append(part["text"])
    return "\n".join(texts)
