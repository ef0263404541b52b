"""Strands: an agent with tools, which always streams, `structured_output`, a picture."""

import asyncio
import base64
from typing import Any

from strands import Agent, tool
from strands.models.openai import OpenAIModel

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def agent(job: Job, **more: Any) -> Agent:
    model = OpenAIModel(client_args={"base_url": job["url"], "api_key": job["key"]}, model_id=job["model"])
    return Agent(model=model, callback_handler=None, **more)


def text_of(result: Any) -> str:
    return "".join(block.get("text", "") for block in result.message["content"])


def chat(job: Job, deltas: list[str]) -> Outcome:
    async def read() -> None:
        async for event in agent(job).stream_async(job["question"]):
            deltas.extend([event["data"]] if "data" in event else [])

    asyncio.run(read())
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    toolbox = Toolbox(job["results"])

    @tool
    def weather(city: str) -> str:
        """Return the weather of a city."""
        return toolbox.weather(city)

    @tool
    def time(zone: str) -> str:
        """Return the time of day in a zone."""
        return toolbox.time(zone)

    return {"text": text_of(agent(job, tools=[weather, time])(job["question"])), "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    """The way is `response-format` by the model itself, or else a tool of the agent's."""
    if job.get("mode") == "response-format":
        return {"value": agent(job).structured_output(Person, job["question"]).model_dump()}
    return {"value": agent(job)(job["question"], structured_output_model=Person).structured_output.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    data = base64.b64decode(job["picture"].partition(",")[2])
    content: Any = [{"text": job["question"]}, {"image": {"format": "png", "source": {"bytes": data}}}]
    return {"text": text_of(agent(job)(content))}


if __name__ == "__main__":
    serve({"chat": chat, "tools": tools, "schema": schema, "picture": picture})
