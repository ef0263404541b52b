"""smolagents: its ToolCallingAgent, whose answer is a call too; the model alone takes schema and picture."""

import base64
import io
import json
from typing import Any

from PIL import Image
from smolagents import OpenAIServerModel, ToolCallingAgent, tool

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def model(job: Job) -> OpenAIServerModel:
    return OpenAIServerModel(job["model"], api_base=job["url"], api_key=job["key"])


def messages(job: Job) -> list[Any]:
    return [{"role": "user", "content": [{"type": "text", "text": job["question"]}]}]


def chat(job: Job, deltas: list[str]) -> Outcome:
    deltas += [delta.content for delta in model(job).generate_stream(messages(job)) if delta.content]
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    return _work(job, streaming=False)


def streamed_tools(job: Job, _: list[str]) -> Outcome:
    """The agent whose model streams."""
    return _work(job, streaming=True)


def _work(job: Job, streaming: bool) -> Outcome:
    toolbox = Toolbox(job["results"])

    @tool
    def weather(city: str) -> str:
        """Return the weather of a city.

        Args:
            city: the city's name

        """
        return toolbox.weather(city)

    @tool
    def time(zone: str) -> str:
        """Return the time of day in a zone.

        Args:
            zone: the zone's name

        """
        return toolbox.time(zone)

    agent = ToolCallingAgent(tools=[weather, time], model=model(job), stream_outputs=streaming, max_steps=4)
    return {"text": str(agent.run(job["question"])), "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    form = {"type": "json_schema", "json_schema": {"name": "Person", "schema": Person.model_json_schema()}}
    return {"value": json.loads(model(job).generate(messages(job), response_format=form).content)}


def picture(job: Job, _: list[str]) -> Outcome:
    image = Image.open(io.BytesIO(base64.b64decode(job["picture"].partition(",")[2])))
    content = [*messages(job)[0]["content"], {"type": "image", "image": image}]
    return {"text": model(job).generate([{"role": "user", "content": content}]).content}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
