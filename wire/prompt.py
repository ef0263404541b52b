"""What a client asked, in a neutral form that loses nothing: one for all protocols and all servers.

Fields that are unknown here remain where they were sent, as `extra` of the request, a message, a part, a call or a
tool: a server of the same kind gets them back as they came.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

Dialect = Literal["chat", "responses", "anthropic"]
PromptRole = Literal["system", "developer", "user", "assistant", "tool"]


class Text(msgspec.Struct, frozen=True, omit_defaults=True, tag="text", tag_field="type"):
    """A part that is text."""

    text: str
    extra: dict[str, Any] = {}


class Picture(msgspec.Struct, frozen=True, omit_defaults=True, tag="picture", tag_field="type"):
    """A picture: its address, or its content as a `data:` URL."""

    url: str
    detail: str = ""
    extra: dict[str, Any] = {}


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True, tag="refusal", tag_field="type"):
    """A refusal in an earlier answer."""

    text: str
    extra: dict[str, Any] = {}


class Thought(msgspec.Struct, frozen=True, omit_defaults=True, tag="thought", tag_field="type"):
    """What the model thought in an earlier answer: a text, maybe empty, and the fields that its server sent with it."""

    text: str
    extra: dict[str, Any] = {}


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True, tag="opaque", tag_field="type"):
    """A part of any other type, such as a file, as it was sent."""

    value: dict[str, Any]


Part = Text | Picture | Refusal | Thought | Opaque


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call of a tool in an earlier answer. `custom`: its arguments are any text instead of JSON."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    extra: dict[str, Any] = {}


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message. `calls` are an assistant's; `call_id` names the call whose result a tool's message is.

    An answer in which anything follows a call is several messages, each with its calls at its end.
    `string`: its client sent the content as one string instead of parts. `name` is who wrote it, if it was sent.
    """

    role: PromptRole
    parts: tuple[Part, ...] = ()
    string: bool = False
    name: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    is_error: bool = False
    extra: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """The text of its parts, separated by empty lines."""
        return "\n\n".join(part.text for part in self.parts if isinstance(part, Text | Refusal))


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool that may be called. `kind` is function, custom, or the type of a hosted tool, which is all in `extra`.

    `parameters` is a function's JSON Schema; `format` is a custom tool's grammar.
    """

    kind: str
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: dict[str, Any] | None = None
    extra: dict[str, Any] = {}


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which tools may or must be called: any or none, at least one, or one of `names`.

    `named`: the one tool of `names` must be called; else, if there are names, only these may be. `custom`: it is a
    custom tool.
    """

    mode: Literal["auto", "none", "required"]
    names: tuple[str, ...] = ()
    named: bool = False
    custom: bool = False


class AnswerFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form of the answer: any JSON, or JSON of a schema."""

    kind: Literal["json", "schema"]
    name: str = ""
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    extra: dict[str, Any] = {}


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request for an answer.

    `model` is the name that was asked for. `options` are all other parameters that a server understands, by their names
    in the chat completions API, such as temperature, max_tokens, seed, stop, logprobs and reasoning_effort; `extra` are
    those that are unknown here. `headers` decide what the body means.
    `ignored` are the parameters that the model can't take: its server doesn't get them.
    """

    dialect: Dialect
    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    format: AnswerFormat | None = None
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    ignored: tuple[str, ...] = ()
    session: str = ""


def without_extra(prompt: Prompt) -> Prompt:
    """Return a prompt without the extra fields that only a server of its client's dialect understands.

    Thoughts keep theirs, which are a server's own.
    """
    return msgspec.structs.replace(
        prompt,
        messages=tuple(map(_without_extra, prompt.messages)),
        tools=tuple(
            msgspec.structs.replace(tool, extra={}) if tool.kind in ("function", "custom") else tool
            for tool in prompt.tools
        ),
        format=None if prompt.format is None else msgspec.structs.replace(prompt.format, extra={}),
        extra={},
    )


def _without_extra(message: Message) -> Message:
    parts = tuple(
        msgspec.structs.replace(part, extra={}) if isinstance(part, Text | Picture | Refusal) else part
        for part in message.parts
    )
    calls = tuple(msgspec.structs.replace(call, extra={}) for call in message.calls)
    return msgspec.structs.replace(message, parts=parts, calls=calls, extra={})


def last_turn(messages: Sequence[Message]) -> int:
    """Return the number of messages before what is asked now: up to the last answer that something follows."""
    known = after = 0
    for number, message in enumerate(messages, 1):
        if message.role == "assistant":
            after = number
        else:
            known = after
    return known


def pictures(messages: Sequence[Message]) -> Iterator[Picture]:
    """Yield the pictures in messages."""
    for message in messages:
        for part in message.parts:
            if isinstance(part, Picture):
                yield part
