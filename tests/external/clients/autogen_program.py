"""AutoGen: an AssistantAgent with tools, with an `output_content_type`, with a picture."""

import asyncio
from collections.abc import Callable
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ModelClientStreamingChunkEvent, MultiModalMessage
from autogen_core import Image
from autogen_ext.models.openai import OpenAIChatCompletionClient

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox

ABLE = {"vision": True, "function_calling": True, "json_output": True, "family": "unknown", "structured_output": True}


def agent(job: Job, **more: Any) -> AssistantAgent:
    information: Any = ABLE
    model = OpenAIChatCompletionClient(
        model=job["model"], base_url=job["url"], api_key=job["key"], model_info=information
    )
    return AssistantAgent("assistant", model_client=model, **more)


def chat(job: Job, deltas: list[str]) -> Outcome:
    async def read() -> str:
        last: Any = None
        async for last in agent(job, model_client_stream=True).run_stream(task=job["question"]):
            deltas.extend([last.content] if isinstance(last, ModelClientStreamingChunkEvent) else [])
        return str(last.messages[-1].content)

    return {"text": asyncio.run(read())}


def tools(job: Job, _: list[str]) -> Outcome:
    return _work(job, streaming=False)


def streamed_tools(job: Job, _: list[str]) -> Outcome:
    """The agent whose model streams."""
    return _work(job, streaming=True)


def _work(job: Job, streaming: bool) -> Outcome:
    toolbox = Toolbox(job["results"])
    tools: list[Callable[..., str]] = [toolbox.weather, toolbox.time]
    working = agent(job, tools=tools, max_tool_iterations=5, model_client_stream=streaming)
    result = asyncio.run(working.run(task=job["question"]))
    return {"text": result.messages[-1].content, "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    result = asyncio.run(agent(job, output_content_type=Person).run(task=job["question"]))
    return {"value": result.messages[-1].content.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    message = MultiModalMessage(content=[job["question"], Image.from_uri(job["picture"])], source="user")
    return {"text": asyncio.run(agent(job).run(task=message)).messages[-1].content}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
