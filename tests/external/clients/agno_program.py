"""agno: an agent with tools, an `output_schema`, a picture."""

import base64
from typing import Any

from agno.agent import Agent
from agno.media import Image
from agno.models.openai.like import OpenAILike

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def agent(job: Job, **more: Any) -> Agent:
    model = OpenAILike(id=job["model"], base_url=job["url"], api_key=job["key"])
    return Agent(model=model, telemetry=False, **more)


def chat(job: Job, deltas: list[str]) -> Outcome:
    events = agent(job).run(job["question"], stream=True)
    deltas += [event.content for event in events if event.event == "RunContent" and event.content]
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    toolbox = Toolbox(job["results"])
    result = agent(job, tools=[toolbox.weather, toolbox.time]).run(job["question"])
    return {"text": result.content, "calls": toolbox.calls}


def streamed_tools(job: Job, deltas: list[str]) -> Outcome:
    """The agent whose model streams."""
    toolbox = Toolbox(job["results"])
    events = agent(job, tools=[toolbox.weather, toolbox.time]).run(job["question"], stream=True)
    deltas += [event.content for event in events if event.event == "RunContent" and event.content]
    return {"text": "".join(deltas), "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    """The way is `json` for JSON without its schema, or else its schema as the format."""
    asked = agent(job, output_schema=Person, use_json_mode=job.get("mode") == "json")
    return {"value": asked.run(job["question"]).content.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    image = Image(content=base64.b64decode(job["picture"].partition(",")[2]), format="png")
    return {"text": agent(job).run(job["question"], images=[image]).content}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
