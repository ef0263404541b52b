"""Clients of the three protocols of /v1 that ask the same things, each in its own form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.support.gateway.anthropic_client import events_of as anthropic_events
from tests.support.gateway.anthropic_client import fold_events
from wire.blocks import fold

Json = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What is asked. `tools` are functions by name, each with one field; `choice` is a word, or a tool's name."""

    question: str
    system: str = ""
    history: Sequence[tuple[str, str]] = ()
    tools: Sequence[str] = ()
    choice: str = ""
    parallel: bool = True
    schema: Json | None = None
    picture: str = ""
    effort: str = ""
    stop: str = ""
    max_tokens: int = 4000


@dataclass
class Reply:
    """An answer, whatever the protocol. `end` is stop, calls or length; `raw` is what goes back in the next round."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, Json]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    end: str = "stop"
    raw: Any = None


class Dialect(Protocol):
    """A protocol: its path, bodies of requests, and readers of answers."""

    name: str
    path: str

    def body(self, model: str, wish: Wish) -> Json: ...

    def next_body(self, body: Json, reply: Reply, results: Sequence[str], *, failed: bool = False) -> Json: ...

    def read(self, answer: Json) -> Reply: ...

    def read_stream(self, stream: str) -> Reply: ...


def _schema(name: str) -> Json:
    return {"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]}


class Chat:
    """Chat completions."""

    name, path = "chat", "/v1/chat/completions"

    def body(self, model: str, wish: Wish) -> Json:
        content: Any = wish.question
        if wish.picture:
            picture = {"type": "image_url", "image_url": {"url": wish.picture}}
            content = [{"type": "text", "text": wish.question}, picture]
        system = [{"role": "system", "content": wish.system}] if wish.system else []
        history = [{"role": role, "content": text} for role, text in wish.history]
        body: Json = {"model": model, "messages": [*system, *history, {"role": "user", "content": content}]}
        if wish.tools:
            named = wish.choice in wish.tools
            choice = {"type": "function", "function": {"name": wish.choice}} if named else wish.choice or "auto"
            body["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": _schema("n")}} for name in wish.tools
            ]
            body |= {"tool_choice": choice, "parallel_tool_calls": wish.parallel}
        if wish.schema:
            form = {"name": "form", "schema": wish.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        others = {"reasoning_effort": wish.effort, "stop": wish.stop, "max_completion_tokens": wish.max_tokens}
        return body | {name: value for name, value in others.items() if value}

    def next_body(self, body: Json, reply: Reply, results: Sequence[str], *, failed: bool = False) -> Json:
        answers = [
            {"role": "tool", "tool_call_id": id_, "content": f"Error: {text}" if failed else text}
            for id_, text in zip(reply.ids, results, strict=True)
        ]
        return {**body, "tool_choice": "auto", "messages": [*body["messages"], reply.raw, *answers]}

    def read(self, answer: Json) -> Reply:
        (choice,) = answer["choices"]
        return self._reply(choice["message"], choice["finish_reason"])

    def read_stream(self, stream: str) -> Reply:
        *chunks, done = (line.removeprefix("data: ") for line in stream.split("\n") if line.startswith("data: "))
        assert done == "[DONE]"
        message: Json = {}
        calls: dict[int, Json] = {}
        end = ""
        for chunk in chunks:
            (choice,) = json.loads(chunk)["choices"]
            end = choice["finish_reason"] or end
            for call in choice["delta"].pop("tool_calls", []):
                index = call.pop("index")
                calls[index] = fold(calls.get(index, {}), call)
            message = fold(message, choice["delta"])
        return self._reply(message | ({"tool_calls": list(calls.values())} if calls else {}), end)

    def _reply(self, message: Json, end: str) -> Reply:
        calls = message.get("tool_calls", [])
        return Reply(
            message.get("content") or "",
            message.get("reasoning_content", ""),
            [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls],
            [call["id"] for call in calls],
            {"tool_calls": "calls"}.get(end, end),
            message,
        )


class Responses:
    """Responses that aren't stored."""

    name, path = "responses", "/v1/responses"

    def body(self, model: str, wish: Wish) -> Json:
        content: list[Json] = [{"type": "input_text", "text": wish.question}]
        if wish.picture:
            content.append({"type": "input_image", "image_url": wish.picture, "detail": "auto"})
        history = [{"role": role, "content": text} for role, text in wish.history]
        body: Json = {
            "model": model,
            "input": [*history, {"type": "message", "role": "user", "content": content}],
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "max_output_tokens": wish.max_tokens,
        }
        if wish.system:
            body["instructions"] = wish.system
        if wish.tools:
            named = wish.choice in wish.tools
            body["tools"] = [{"type": "function", "name": name, "parameters": _schema("n")} for name in wish.tools]
            body["tool_choice"] = {"type": "function", "name": wish.choice} if named else wish.choice or "auto"
            body["parallel_tool_calls"] = wish.parallel
        if wish.schema:
            body["text"] = {"format": {"type": "json_schema", "name": "form", "schema": wish.schema, "strict": True}}
        return body | ({"reasoning": {"effort": wish.effort}} if wish.effort else {})

    def next_body(self, body: Json, reply: Reply, results: Sequence[str], *, failed: bool = False) -> Json:
        answers = [
            {"type": "function_call_output", "call_id": id_, "output": f"Error: {text}" if failed else text}
            for id_, text in zip(reply.ids, results, strict=True)
        ]
        return {**body, "tool_choice": "auto", "input": [*body["input"], *reply.raw, *answers]}

    def read(self, answer: Json) -> Reply:
        reply = Reply(raw=answer["output"])
        for item in answer["output"]:
            match item["type"]:
                case "message":
                    reply.text += "".join(part.get("text", "") for part in item["content"])
                case "reasoning":
                    reply.thoughts += "".join(part["text"] for part in item["summary"])
                case "function_call":
                    reply.calls.append((item["name"], json.loads(item["arguments"])))
                    reply.ids.append(item["call_id"])
        reply.end = "length" if answer["status"] == "incomplete" else "calls" if reply.calls else "stop"
        return reply

    def read_stream(self, stream: str) -> Reply:
        last = stream.rstrip("\n").split("\n\n")[-1]
        data = next(line for line in last.split("\n") if line.startswith("data: "))
        return self.read(json.loads(data.removeprefix("data: "))["response"])


class Messages:
    """Anthropic's messages."""

    name, path = "anthropic", "/v1/messages"

    def body(self, model: str, wish: Wish) -> Json:
        content: Any = wish.question
        if wish.picture:
            media_type, _, data = wish.picture.removeprefix("data:").partition(";base64,")
            source = {"type": "base64", "media_type": media_type, "data": data}
            content = [{"type": "image", "source": source}, {"type": "text", "text": wish.question}]
        history = [{"role": role, "content": text} for role, text in wish.history]
        body: Json = {
            "model": model,
            "max_tokens": wish.max_tokens,
            "messages": [*history, {"role": "user", "content": content}],
        }
        if wish.tools:
            words = {"": "auto", "required": "any"}
            choice: Json = {"type": words.get(wish.choice, wish.choice)}
            if wish.choice in wish.tools:
                choice = {"type": "tool", "name": wish.choice}
            if not wish.parallel:
                choice["disable_parallel_tool_use"] = True
            body["tools"] = [{"name": name, "input_schema": _schema("n")} for name in wish.tools]
            body["tool_choice"] = choice
        if wish.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": wish.schema}}
        if wish.effort:
            body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        others = {"system": wish.system, "stop_sequences": [wish.stop] if wish.stop else []}
        return body | {name: value for name, value in others.items() if value}

    def next_body(self, body: Json, reply: Reply, results: Sequence[str], *, failed: bool = False) -> Json:
        answers = [
            {"type": "tool_result", "tool_use_id": id_, "content": text, **({"is_error": True} if failed else {})}
            for id_, text in zip(reply.ids, results, strict=True)
        ]
        rounds = [{"role": "assistant", "content": reply.raw}, {"role": "user", "content": answers}]
        return {**body, "tool_choice": {"type": "auto"}, "messages": [*body["messages"], *rounds]}

    def read(self, answer: Json) -> Reply:
        content = answer["content"]
        calls = [block for block in content if block["type"] == "tool_use"]
        reasons = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "calls", "max_tokens": "length"}
        return Reply(
            "".join(block["text"] for block in content if block["type"] == "text"),
            "".join(block["thinking"] for block in content if block["type"] == "thinking"),
            [(block["name"], block["input"]) for block in calls],
            [block["id"] for block in calls],
            reasons[answer["stop_reason"]],
            content,
        )

    def read_stream(self, stream: str) -> Reply:
        return self.read(fold_events(anthropic_events(stream)))


DIALECTS: Sequence[Dialect] = (Chat(), Responses(), Messages())
