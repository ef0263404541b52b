"""LiteLLM as a library at work, over each API that it speaks: tools, a schema, a picture."""

import json
from typing import Any

import litellm

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox, declarations

PROVIDERS = {"chat": "openai", "responses": "openai/responses", "anthropic": "anthropic"}


def complete(job: Job, messages: list[Any], **more: Any) -> Any:
    return litellm.completion(
        model=f"{PROVIDERS[job['api']]}/{job['model']}",
        api_base=job["url"].removesuffix("/v1") if job["api"] == "anthropic" else job["url"],
        api_key=job["key"],
        messages=messages,
        **more,
    )


def chat(job: Job, deltas: list[str]) -> Outcome:
    chunks = complete(job, [{"role": "user", "content": job["question"]}], stream=True)
    deltas += [text for chunk in chunks if (text := chunk.choices[0].delta.content)]
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    """Run the tools until there is an answer, each second request streamed and put together by the library.

    In the mode `whole` none is.
    """
    toolbox, messages = Toolbox(job["results"]), list[Any]([{"role": "user", "content": job["question"]}])
    while True:
        if len(toolbox.calls) % 2 and job.get("mode") != "whole":
            chunks = complete(job, messages, tools=declarations(), stream=True)
            completion: Any = litellm.stream_chunk_builder(list(chunks), messages=messages)
        else:
            completion = complete(job, messages, tools=declarations())
        message = completion.choices[0].message
        if not message.tool_calls:
            return {"text": message.content, "calls": toolbox.calls}
        messages.append(message)
        for call in message.tool_calls:
            result = toolbox.run(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def schema(job: Job, _: list[str]) -> Outcome:
    completion = complete(job, [{"role": "user", "content": job["question"]}], response_format=Person)
    return {"value": json.loads(completion.choices[0].message.content)}


def picture(job: Job, _: list[str]) -> Outcome:
    parts = [
        {"type": "text", "text": job["question"]},
        {"type": "image_url", "image_url": {"url": job["picture"]}},
    ]
    return {"text": complete(job, [{"role": "user", "content": parts}]).choices[0].message.content}


if __name__ == "__main__":
    serve({"chat": chat, "tools": tools, "schema": schema, "picture": picture})
