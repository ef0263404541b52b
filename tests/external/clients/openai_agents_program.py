"""openai-agents with the Responses API or chat completions: an agent with tools, an `output_type`, a picture."""

import asyncio
from typing import Any

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox

set_tracing_disabled(True)
MODELS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}


def agent(job: Job, **more: Any) -> Agent:
    client = AsyncOpenAI(base_url=job["url"], api_key=job["key"])
    return Agent(name="Assistant", model=MODELS[job["api"]](job["model"], client), **more)


def chat(job: Job, deltas: list[str]) -> Outcome:
    return {"text": asyncio.run(_read(agent(job), job["question"], deltas))}


async def _read(asked: Agent, question: str, deltas: list[str]) -> str:
    run = Runner.run_streamed(asked, question)
    async for event in run.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            deltas.append(event.data.delta)
    return str(run.final_output)


def tools(job: Job, _: list[str]) -> Outcome:
    toolbox, working = _working(job)
    return {"text": Runner.run_sync(working, job["question"]).final_output, "calls": toolbox.calls}


def streamed_tools(job: Job, deltas: list[str]) -> Outcome:
    """The agent whose model streams."""
    toolbox, working = _working(job)
    return {"text": asyncio.run(_read(working, job["question"], deltas)), "calls": toolbox.calls}


def _working(job: Job) -> tuple[Toolbox, Agent]:
    toolbox = Toolbox(job["results"])

    @function_tool
    def weather(city: str) -> str:
        """Return the weather of a city."""
        return toolbox.weather(city)

    @function_tool
    def time(zone: str) -> str:
        """Return the time of day in a zone."""
        return toolbox.time(zone)

    return toolbox, agent(job, tools=[weather, time])


def schema(job: Job, _: list[str]) -> Outcome:
    return {"value": Runner.run_sync(agent(job, output_type=Person), job["question"]).final_output.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    parts = [
        {"type": "input_text", "text": job["question"]},
        {"type": "input_image", "image_url": job["picture"], "detail": "auto"},
    ]
    messages: Any = [{"role": "user", "content": parts}]
    return {"text": Runner.run_sync(agent(job), messages).final_output}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
