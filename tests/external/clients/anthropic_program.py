"""The anthropic package for Python: its stream helper, tools, schemas, thoughts, tokens counted, a picture."""

from typing import Any

from anthropic import Anthropic

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox, declarations

FUNCTIONS = [tool["function"] for tool in declarations()]
TOOLS: Any = [
    {"name": function["name"], "description": function["description"], "input_schema": function["parameters"]}
    for function in FUNCTIONS
]
LIMIT = 4096
THINKING: Any = {"type": "enabled", "budget_tokens": 2048}


def client(job: Job) -> Anthropic:
    return Anthropic(base_url=job["url"].removesuffix("/v1"), api_key=job["key"])


def asked(job: Job, **more: Any) -> Any:
    return {
        "model": job["model"],
        "max_tokens": LIMIT,
        "messages": [{"role": "user", "content": job["question"]}],
    } | more


def chat(job: Job, deltas: list[str]) -> Outcome:
    with client(job).messages.stream(**asked(job)) as stream:
        deltas += stream.text_stream
        return {"text": stream.get_final_text()}


def tools(job: Job, _: list[str]) -> Outcome:
    """Run the tools until there is an answer, each second request streamed."""
    toolbox, messages = Toolbox(job["results"]), list[Any]([{"role": "user", "content": job["question"]}])
    while True:
        message = _answer(job, len(toolbox.calls) % 2 > 0, messages=messages, tools=TOOLS)
        results = _run(toolbox, message)
        if not results:
            return {"text": _text(message), "calls": toolbox.calls}
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]


def _answer(job: Job, streamed: bool, **more: Any) -> Any:
    if not streamed:
        return client(job).messages.create(**asked(job, **more))
    with client(job).messages.stream(**asked(job, **more)) as stream:
        return stream.get_final_message()


def _run(toolbox: Toolbox, message: Any) -> list[Any]:
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": toolbox.run(block.name, block.input)}
        for block in message.content
        if block.type == "tool_use"
    ]


def _text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def schema(job: Job, _: list[str]) -> Outcome:
    """The schema as the format of the answer."""
    message = client(job).messages.parse(**asked(job), output_format=Person)
    return {"value": message.parsed_output.model_dump()}


def forced(job: Job, _: list[str]) -> Outcome:
    """The schema as the input of a tool that has to be called."""
    tool = {"name": "Person", "description": "Note a person.", "input_schema": Person.model_json_schema()}
    message = client(job).messages.create(**asked(job, tools=[tool], tool_choice={"type": "tool", "name": "Person"}))
    (call,) = [block for block in message.content if block.type == "tool_use"]
    return {"value": call.input}


def picture(job: Job, _: list[str]) -> Outcome:
    source = {"type": "base64", "media_type": "image/png", "data": job["picture"].partition(",")[2]}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": job["question"]}]
    message = client(job).messages.create(**asked(job, messages=[{"role": "user", "content": parts}]))
    return {"text": _text(message)}


def thinking(job: Job, _: list[str]) -> Outcome:
    """The thoughts of the first message go back with what its call returned."""
    toolbox, messages = Toolbox(job["results"]), list[Any]([{"role": "user", "content": job["question"]}])
    first = _answer(job, True, messages=messages, tools=TOOLS, thinking=THINKING)
    thoughts = [block for block in first.content if block.type == "thinking"]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": _run(toolbox, first)}]
    return {
        "thoughts": "".join(block.thinking for block in thoughts),
        "sealed": all(block.signature for block in thoughts),
        "text": _text(_answer(job, False, messages=messages, tools=TOOLS, thinking=THINKING)),
    }


def count(job: Job, _: list[str]) -> Outcome:
    messages: Any = [{"role": "user", "content": job["question"]}]
    counted = client(job).messages.count_tokens(model=job["model"], messages=messages, tools=TOOLS)
    return {"tokens": counted.input_tokens}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "schema": schema, "forced": forced, "picture": picture}
    serve({**doings, "thinking": thinking, "count": count})
