"""Haystack: OpenAIChatGenerator, an Agent with tools, a `response_format`, a picture."""

from typing import Any

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage, ImageContent
from haystack.tools import create_tool_from_function
from haystack.utils import Secret

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def generator(job: Job, **more: Any) -> OpenAIChatGenerator:
    return OpenAIChatGenerator(
        model=job["model"], api_base_url=job["url"], api_key=Secret.from_token(job["key"]), **more
    )


def chat(job: Job, deltas: list[str]) -> Outcome:
    streaming = generator(job, streaming_callback=lambda chunk: deltas.append(chunk.content))
    return {"text": streaming.run([ChatMessage.from_user(job["question"])])["replies"][0].text}


def tools(job: Job, _: list[str]) -> Outcome:
    return _work(job)


def streamed_tools(job: Job, deltas: list[str]) -> Outcome:
    """The agent whose model streams."""
    return _work(job, streaming_callback=lambda chunk: deltas.append(chunk.content))


def _work(job: Job, **more: Any) -> Outcome:
    toolbox = Toolbox(job["results"])
    functions = [create_tool_from_function(tool) for tool in (toolbox.weather, toolbox.time)]
    agent = Agent(chat_generator=generator(job), tools=functions, **more)
    result = agent.run(messages=[ChatMessage.from_user(job["question"])])
    return {"text": result["last_message"].text, "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    structured = generator(job, generation_kwargs={"response_format": Person})
    reply = structured.run([ChatMessage.from_user(job["question"])])["replies"][0]
    return {"value": Person.model_validate_json(reply.text).model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    image = ImageContent(base64_image=job["picture"].partition(",")[2], mime_type="image/png")
    message = ChatMessage.from_user(content_parts=[job["question"], image])
    return {"text": generator(job).run([message])["replies"][0].text}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
