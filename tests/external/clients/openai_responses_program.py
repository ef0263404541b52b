"""The openai package for Python with the Responses API: its stream helper, tools, `parse`, thoughts, a picture."""

import json
from typing import Any

from openai import OpenAI, pydantic_function_tool

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox, declarations

TOOLS: Any = [{"type": "function", "strict": True, **tool["function"]} for tool in declarations()]
# What a client sends that has nothing stored, and gets its thoughts to send them back.
STATELESS: Any = {"store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}


def client(job: Job) -> OpenAI:
    return OpenAI(base_url=job["url"], api_key=job["key"])


def chat(job: Job, deltas: list[str]) -> Outcome:
    with client(job).responses.stream(model=job["model"], input=job["question"]) as stream:
        deltas += [event.delta for event in stream if event.type == "response.output_text.delta"]
        return {"text": stream.get_final_response().output_text}


def tools(job: Job, _: list[str]) -> Outcome:
    """All that was before in each request, each second one streamed."""
    toolbox, items = Toolbox(job["results"]), list[Any]([{"role": "user", "content": job["question"]}])
    while True:
        response = _asked(job, len(toolbox.calls) % 2 > 0, input=items, **STATELESS)
        results = _run(toolbox, response)
        if not results:
            return {"text": response.output_text, "calls": toolbox.calls}
        items += [*response.output, *results]


def stored_tools(job: Job, _: list[str]) -> Outcome:
    """Only what is new in each request, behind the response before."""
    toolbox, before, items = Toolbox(job["results"]), None, list[Any]([{"role": "user", "content": job["question"]}])
    while True:
        response = _asked(job, len(toolbox.calls) % 2 == 0, input=items, previous_response_id=before)
        before, items = response.id, _run(toolbox, response)
        if not items:
            return {"text": response.output_text, "calls": toolbox.calls}


def _asked(job: Job, streamed: bool, **asked: Any) -> Any:
    responses = client(job).responses
    if not streamed:
        return responses.create(model=job["model"], tools=TOOLS, **asked)
    with responses.stream(model=job["model"], tools=TOOLS, **asked) as stream:
        return stream.get_final_response()


def _run(toolbox: Toolbox, response: Any) -> list[Any]:
    calls = [item for item in response.output if item.type == "function_call"]
    return [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": toolbox.run(call.name, json.loads(call.arguments)),
        }
        for call in calls
    ]


def schema(job: Job, _: list[str]) -> Outcome:
    response = client(job).responses.parse(model=job["model"], input=job["question"], text_format=Person)
    return {"value": response.output_parsed.model_dump()}


def forced(job: Job, _: list[str]) -> Outcome:
    """The schema as the parameters of a tool that has to be called."""
    tool: Any = {"type": "function", **pydantic_function_tool(Person)["function"]}
    response = client(job).responses.parse(
        model=job["model"], input=job["question"], tools=[tool], tool_choice="required"
    )
    (call,) = [item for item in response.output if item.type == "function_call"]
    return {"value": json.loads(call.arguments)}


def picture(job: Job, _: list[str]) -> Outcome:
    parts: Any = [
        {"type": "input_text", "text": job["question"]},
        {"type": "input_image", "image_url": job["picture"], "detail": "auto"},
    ]
    response = client(job).responses.create(model=job["model"], input=[{"role": "user", "content": parts}])
    return {"text": response.output_text}


def thinking(job: Job, _: list[str]) -> Outcome:
    """The thoughts of the first response go back with what its call returned."""
    toolbox, items = Toolbox(job["results"]), list[Any]([{"role": "user", "content": job["question"]}])
    first = _asked(job, True, input=items, **STATELESS)
    thoughts = [item for item in first.output if item.type == "reasoning"]
    items += [*first.output, *_run(toolbox, first)]
    return {
        "thoughts": "".join(part.text for item in thoughts for part in item.summary),
        "sealed": all(item.encrypted_content for item in thoughts),
        "text": _asked(job, False, input=items, **STATELESS).output_text,
    }


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "stored-tools": stored_tools, "schema": schema, "forced": forced}
    serve({**doings, "picture": picture, "thinking": thinking})
