"""The openai package for Python at work: its stream helper, tools, `parse`, a picture, embeddings."""

import json
from typing import Any

from openai import OpenAI, pydantic_function_tool

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox, declarations


def client(job: Job) -> OpenAI:
    return OpenAI(base_url=job["url"], api_key=job["key"])


def chat(job: Job, deltas: list[str]) -> Outcome:
    messages: Any = [{"role": "user", "content": job["question"]}]
    with client(job).chat.completions.stream(model=job["model"], messages=messages) as stream:
        deltas += [event.delta for event in stream if event.type == "content.delta"]
        return {"text": stream.get_final_completion().choices[0].message.content}


def tools(job: Job, _: list[str]) -> Outcome:
    """Run the tools until there is an answer, each second request streamed."""
    toolbox, messages = Toolbox(job["results"]), [{"role": "user", "content": job["question"]}]
    while True:
        message = _streamed(job, messages) if len(toolbox.calls) % 2 else _whole(job, messages)
        if not message.tool_calls:
            return {"text": message.content, "calls": toolbox.calls}
        messages.append(message.to_dict())
        for call in message.tool_calls:
            result = toolbox.run(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def _whole(job: Job, messages: Any) -> Any:
    completion = client(job).chat.completions.create(model=job["model"], messages=messages, tools=declarations())
    return completion.choices[0].message


def _streamed(job: Job, messages: Any) -> Any:
    with client(job).chat.completions.stream(model=job["model"], messages=messages, tools=declarations()) as stream:
        return stream.get_final_completion().choices[0].message


def schema(job: Job, _: list[str]) -> Outcome:
    messages: Any = [{"role": "user", "content": job["question"]}]
    completion = client(job).chat.completions.parse(model=job["model"], messages=messages, response_format=Person)
    return {"value": completion.choices[0].message.parsed.model_dump()}


def forced(job: Job, _: list[str]) -> Outcome:
    """The schema as the parameters of a tool that has to be called."""
    messages: Any = [{"role": "user", "content": job["question"]}]
    completion = client(job).chat.completions.parse(
        model=job["model"], messages=messages, tools=[pydantic_function_tool(Person)], tool_choice="required"
    )
    (call,) = completion.choices[0].message.tool_calls
    return {"value": call.function.parsed_arguments.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    parts = [
        {"type": "text", "text": job["question"]},
        {"type": "image_url", "image_url": {"url": job["picture"]}},
    ]
    messages: Any = [{"role": "user", "content": parts}]
    completion = client(job).chat.completions.create(model=job["model"], messages=messages)
    return {"text": completion.choices[0].message.content}


def retrieval(job: Job, _: list[str]) -> Outcome:
    """Ask about the text that is nearest to the question."""
    asked, *texts = (
        client(job).embeddings.create(model=job["embedding_model"], input=[job["question"], *job["texts"]]).data
    )
    nearness = [sum(a * b for a, b in zip(asked.embedding, text.embedding, strict=True)) for text in texts]
    found = job["texts"][nearness.index(max(nearness))]
    messages: Any = [{"role": "user", "content": f"{found}\n{job['question']}"}]
    completion = client(job).chat.completions.create(model=job["model"], messages=messages)
    return {"found": found, "text": completion.choices[0].message.content}


if __name__ == "__main__":
    serve(
        {"chat": chat, "tools": tools, "schema": schema, "forced": forced, "picture": picture, "retrieval": retrieval}
    )
