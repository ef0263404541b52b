"""Build the body of a chat completion from a prompt: everything that a client sent, where it sent it."""

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec

from wire.blocks import fold_all
from wire.prompt import (
    AnswerFormat,
    Dialect,
    Message,
    Opaque,
    Part,
    Picture,
    Prompt,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
)
from worker.accounts.account import MaxTokensName, SystemMessages
from worker.providers.call_records import REASONING_FIELDS
from worker.providers.openai.anthropic_parts import render_block, render_options
from worker.providers.openai.parameters import MAX_TOKENS
from worker.providers.openai.result_pictures import move_pictures

# What is ours to set, or to keep from servers.
_OURS = frozenset({"model", "messages", "stream", "stream_options", "store", "metadata", "user"})
# Where old reasoning is: fields of an earlier answer's message and calls, and types of its parts.
THINKING = frozenset({*REASONING_FIELDS, "reasoning_details", "extra_content", "thought_signature"})
_THINKING_PARTS = frozenset({"thinking", "redacted_thinking", "reasoning"})
# How many extra fields earlier answers may have in all for one of them to be left out, and characters of its name: a
# refusal is searched for each, and what is left out is known from then on. Both are far less, unless a client makes
# fields up.
_MOST_FIELDS = 64
_LONGEST_FIELD = 128
UNSEEN = "[picture]"
_ERROR = "Error: "
# This API has no more stop sequences; gateways end an answer at the others.
_MOST_STOPS = 4
_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")
# The ids that calls of the old form get, whose results have their function's name.
_OLD_CALL = re.compile(r"oldc[0-9]{5}")
# See https://ai.google.dev/gemini-api/docs/thought-signatures.
_NO_SIGNATURE = "skip_thought_signature_validator"


@dataclass(frozen=True)
class RequestForm:
    """The form of requests that a server takes.

    `system`: where messages of the system go; `developer`: it knows that role; `sees`: pictures are sent to it;
    `max_tokens` is its name for that parameter. `omitted` are the fields of earlier answers that it doesn't take, and
    without `thinking` it gets no old reasoning. `reasoning_field` is where it has its own reasoning. `signs_calls`: it
    doesn't take calls without Gemini's signature, or a word in its place. With `short_ids` calls have ids of nine
    letters and digits.
    """

    system: SystemMessages = "told"
    developer: bool = False
    sees: bool = True
    max_tokens: MaxTokensName = "max_tokens"
    omitted: Collection[str] = field(default_factory=frozenset)
    thinking: bool = True
    reasoning_field: str = ""
    signs_calls: bool = False
    short_ids: bool = False


def render_prompt(prompt: Prompt, form: RequestForm) -> dict[str, Any]:
    """Return the body, without what is ours. Hosted tools are in it if the prompt is of this API."""
    renderer = _Renderer(form, prompt.dialect)
    body: dict[str, Any] = {"model": prompt.model, "messages": renderer.messages(prompt.messages)}
    if tools := renderer.tools(prompt):
        body["tools"] = tools
        if prompt.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = prompt.parallel_tool_calls
    if prompt.tool_choice is not None and (tools or not prompt.tools):
        body["tool_choice"] = _tool_choice(prompt.tool_choice, prompt.tools)
    if prompt.format is not None:
        body["response_format"] = _response_format(prompt.format, renderer)
    options = render_options(prompt.options) if prompt.dialect == "anthropic" else prompt.options
    for name, value in options.items():
        if name not in prompt.ignored and name not in _OURS:
            body[form.max_tokens if name == MAX_TOKENS else name] = value[:_MOST_STOPS] if name == "stop" else value
    extra = {name: value for name, value in prompt.extra.items() if name not in _OURS}
    return renderer.with_extra(body, extra)


def earlier_fields(prompt: Prompt) -> dict[str, list[Any]]:
    """Return all extra fields of earlier answers, with the values that each has; none if there are too many."""
    answers = [message for message in prompt.messages if message.role == "assistant"]
    fields: dict[str, list[Any]] = {}
    for extra in (
        *(message.extra for message in answers),
        *(call.extra for message in answers for call in message.calls),
    ):
        for name, value in extra.items():
            if len(name) <= _LONGEST_FIELD:
                fields.setdefault(name, []).append(value)
    return fields if len(fields) <= _MOST_FIELDS else {}


def client_fields(prompt: Prompt) -> frozenset[str]:
    """Return what a client asks for beside the messages: a server may refuse other fields beside one of them."""
    given = {
        "tools": prompt.tools,
        "tool_choice": prompt.tool_choice,
        "parallel_tool_calls": prompt.parallel_tool_calls,
        "response_format": prompt.format,
    }
    return frozenset((*prompt.options, *prompt.extra, *(name for name, value in given.items() if value)))


class _Renderer:
    def __init__(self, form: RequestForm, dialect: Dialect) -> None:
        self._form = form
        self._same_api = dialect == "chat"
        self._blocks = dialect == "anthropic"

    def with_extra(self, rendered: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        """Add extra fields in their place; what is rendered already remains as it is."""
        return merge_extra(rendered, extra) if extra else rendered

    def messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        if self._form.system == "first":
            messages = _system_first(messages)
        joined = join_calls(messages)
        # A client of this API knows its server; others have no other place for what a tool saw.
        return [self._message(message) for message in (joined if self._same_api else move_pictures(joined))]

    def tools(self, prompt: Prompt) -> list[dict[str, Any]]:
        hosted = self._same_api and "tools" not in prompt.ignored
        return [self._tool(tool) for tool in prompt.tools if hosted or tool.kind in ("function", "custom")]

    def _message(self, message: Message) -> dict[str, Any]:
        message, refusal = _split_refusal(self._move_thoughts(message))
        rendered: dict[str, Any] = {"role": self._role(message), "content": self._content(message)}
        if refusal:
            rendered["refusal"] = refusal
        if message.name and not _OLD_CALL.fullmatch(message.call_id):
            rendered["name"] = message.name
        if message.calls:
            rendered["tool_calls"] = [self._call(call) for call in message.calls]
            if self._form.signs_calls:
                _sign(rendered["tool_calls"][0])
        if message.role == "tool" and message.call_id:
            rendered["tool_call_id"] = self._id(message.call_id)
        return self.with_extra(rendered, self._earlier(self._one_reasoning(message.extra), message.role))

    def _move_thoughts(self, message: Message) -> Message:
        """Return a message with its thoughts beside its parts: the text in the server's own field, if it has one."""
        thoughts = [part for part in message.parts if isinstance(part, Thought)]
        if not thoughts:
            return message
        parts = tuple(part for part in message.parts if not isinstance(part, Thought))
        extra = fold_all(thought.extra for thought in thoughts) if self._form.thinking else {}
        text = "".join(thought.text for thought in thoughts)
        if text and self._form.reasoning_field and self._form.thinking:
            extra = {**extra, self._form.reasoning_field: text}
        return msgspec.structs.replace(message, parts=parts, extra={**extra, **message.extra})

    def _role(self, message: Message) -> str:
        if message.role == "developer":
            return "developer" if self._form.developer else "system"
        # The result of a call that isn't part of this conversation.
        return "user" if message.role == "tool" and not message.call_id else message.role

    def _content(self, message: Message) -> str | list[dict[str, Any]] | None:
        parts = list(self._parts(message))
        texts = [part["text"] for part in parts if part["type"] == "text" and len(part) == len(("type", "text"))]
        alone = not self._same_api and len(parts) == 1
        if len(texts) == len(parts) and (message.string or alone):
            return "".join(texts)
        if parts:
            return parts
        return None if message.role == "assistant" and not message.string else ""

    def _parts(self, message: Message) -> Iterator[dict[str, Any]]:
        parts: Iterable[Part] = message.parts
        if message.is_error:
            parts = _mark_error(message.parts)
        for part in parts:
            if not isinstance(part, Opaque) or self._takes(part, message.role):
                yield self._part(part)

    def _takes(self, part: Opaque, role: str) -> bool:
        """Return whether a server gets a part: none of old reasoning without `thinking`, and no other API's tools."""
        if self._blocks and role == "assistant":
            return False
        return self._form.thinking or part.value.get("type") not in _THINKING_PARTS

    def _part(self, part: Part) -> dict[str, Any]:
        match part:
            case Text(text=text, extra=extra):
                return self.with_extra({"type": "text", "text": text}, extra)
            case Picture() if not self._form.sees:
                return {"type": "text", "text": UNSEEN}
            case Picture(url=url, detail=detail, extra=extra):
                image = {"url": url, "detail": detail} if detail else {"url": url}
                return self.with_extra({"type": "image_url", "image_url": image}, extra)
            case Refusal(text=text, extra=extra):
                return self.with_extra({"type": "refusal", "refusal": text}, extra)
            case Opaque(value=value):
                return render_block(value) if self._blocks else value if self._same_api else _file(value)
            case Thought():
                raise AssertionError("a thought is beside the parts")

    def _call(self, call: ToolCall) -> dict[str, Any]:
        rendered: dict[str, Any] = {"id": self._id(call.id), "type": "function"}
        if call.custom:
            rendered |= {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        else:
            rendered["function"] = {"name": call.name, "arguments": call.arguments}
        return self.with_extra(rendered, self._earlier(call.extra, "assistant"))

    def _id(self, id_: str) -> str:
        """Return a call's id, in the form that the server takes; the same each time."""
        if not self._form.short_ids or _SHORT_ID.fullmatch(id_):
            return id_
        return base64.b32encode(hashlib.sha256(id_.encode()).digest())[:9].decode()

    def _earlier(self, extra: Mapping[str, Any], role: str) -> Mapping[str, Any]:
        """Return the extra fields of an earlier answer that the server takes."""
        if role != "assistant":
            return extra
        left_out = {*self._form.omitted, *(() if self._form.thinking else THINKING)}
        return {name: value for name, value in extra.items() if name not in left_out} if left_out else extra

    def _one_reasoning(self, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields with reasoning once, under the server's name: clients get it under several."""
        names = [name for name in REASONING_FIELDS if isinstance(extra.get(name), str)]
        if len({extra[name] for name in names}) != 1:
            return extra
        name = self._form.reasoning_field or names[0]
        others = {field: value for field, value in extra.items() if field not in names}
        return {**others, name: extra[names[0]]}

    def _tool(self, tool: Tool) -> dict[str, Any]:
        if tool.kind not in ("function", "custom"):
            return {"type": tool.kind, **tool.extra}
        inner: dict[str, Any] = {"name": tool.name}
        fields = {
            "description": tool.description,
            "parameters": tool.parameters,
            "format": tool.format,
            "strict": tool.strict,
        }
        inner |= {name: value for name, value in fields.items() if value is not None}
        return self.with_extra({"type": tool.kind, tool.kind: inner}, tool.extra)


def merge_extra(rendered: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is rendered with extra fields beside it, and inside its objects."""
    merged = {**extra, **rendered}
    for name in rendered.keys() & extra.keys():
        if isinstance(rendered[name], dict) and isinstance(extra[name], dict):
            merged[name] = merge_extra(rendered[name], extra[name])
    return {**{name: merged[name] for name in rendered}, **merged}


def _file(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part with a file in the form of this API, where it is one of /v1/responses; any other as it is."""
    if part.get("type") != "input_file":
        return part
    return {"type": "file", "file": {name: value for name, value in part.items() if name != "type"}}


def _split_refusal(message: Message) -> tuple[Message, str]:
    """Return a message and the refusal beside its content, if it was sent there."""
    refusals: list[Refusal] = []
    others: list[Part] = []
    for part in message.parts:
        if isinstance(part, Refusal) and not part.extra:
            refusals.append(part)
        else:
            others.append(part)
    if message.role != "assistant" or len(refusals) != 1 or (others and not message.string):
        return message, ""
    return msgspec.structs.replace(message, parts=tuple(others)), refusals[0].text


def _sign(call: dict[str, Any]) -> None:
    """Give a call the word that Gemini takes for the signature of a call that it didn't make."""
    given = call.get("extra_content")
    content = given if isinstance(given, dict) else {}
    google = content.get("google")
    if not (isinstance(google, dict) and google.get("thought_signature")):
        call["extra_content"] = merge_extra({"google": {"thought_signature": _NO_SIGNATURE}}, content)


def join_calls(messages: Sequence[Message]) -> list[Message]:
    """Return messages so that the results of calls follow them: an answer with calls takes in what follows of it."""
    answers: list[list[Message]] = []
    for message in messages:
        if answers and answers[-1][0].calls and message.role == "assistant":
            answers[-1].append(message)
        else:
            answers.append([message])
    return [answer[0] if len(answer) == 1 else _join_answer(answer) for answer in answers]


def _join_answer(messages: Sequence[Message]) -> Message:
    return msgspec.structs.replace(
        messages[0],
        parts=tuple(chain.from_iterable(message.parts for message in messages)),
        calls=tuple(chain.from_iterable(message.calls for message in messages)),
        extra=fold_all(message.extra for message in messages),
    )


def _system_first(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with all of the system's joined in front: some models' templates refuse them elsewhere."""
    notes = [message for message in messages if message.role in ("system", "developer")]
    others = [message for message in messages if message.role not in ("system", "developer")]
    if len(notes) == 1:
        return [*notes, *others]
    text = "\n\n".join(message.text for message in notes)
    return [*([Message("system", (Text(text),), string=True)] if notes else []), *others]


def _mark_error(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts of a failed call's result with a word for that: this API has no field for it."""
    if parts and isinstance(first := parts[0], Text):
        return (msgspec.structs.replace(first, text=_ERROR + first.text), *parts[1:])
    return (Text(_ERROR.strip()), *parts)


def _tool_choice(choice: ToolChoice, tools: Sequence[Tool]) -> str | dict[str, Any]:
    if not choice.names:
        return choice.mode
    if choice.named:
        kind = "custom" if choice.custom else "function"
        return {"type": kind, kind: {"name": choice.names[0]}}
    kinds = {tool.name: tool.kind for tool in tools if tool.kind == "custom"}
    allowed = [
        {"type": kinds.get(name, "function"), kinds.get(name, "function"): {"name": name}} for name in choice.names
    ]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": allowed}}


def _response_format(answer: AnswerFormat, renderer: _Renderer) -> dict[str, Any]:
    if answer.kind == "json":
        return renderer.with_extra({"type": "json_object"}, answer.extra)
    inner: dict[str, Any] = {"name": answer.name}
    fields = {"description": answer.description, "schema": answer.schema, "strict": answer.strict}
    inner |= {name: value for name, value in fields.items() if value is not None}
    return renderer.with_extra({"type": "json_schema", "json_schema": inner}, answer.extra)
