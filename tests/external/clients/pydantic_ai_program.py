"""pydantic-ai: an agent with tools, `output_type` in its ways, a picture."""

import base64
from typing import Any

from pydantic_ai import Agent, BinaryContent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox

MODES = {"tool": ToolOutput, "native": NativeOutput, "prompted": PromptedOutput}


def model(job: Job) -> Model:
    if job["api"] == "anthropic":
        address = job["url"].removesuffix("/v1")
        return AnthropicModel(job["model"], provider=AnthropicProvider(base_url=address, api_key=job["key"]))
    speaking = OpenAIResponsesModel if job["api"] == "responses" else OpenAIChatModel
    return speaking(job["model"], provider=OpenAIProvider(base_url=job["url"], api_key=job["key"]))


def chat(job: Job, deltas: list[str]) -> Outcome:
    stream = Agent(model(job)).run_stream_sync(job["question"])
    deltas += stream.stream_text(delta=True, debounce_by=None)
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    toolbox = Toolbox(job["results"])
    agent = Agent(model(job), tools=[toolbox.weather, toolbox.time])
    return {"text": agent.run_sync(job["question"]).output, "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    output: Any = MODES[job.get("mode", "tool")](Person)
    agent = Agent(model(job), output_type=output)
    return {"value": agent.run_sync(job["question"]).output.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    data = base64.b64decode(job["picture"].partition(",")[2])
    content = [job["question"], BinaryContent(data, media_type="image/png")]
    return {"text": Agent(model(job)).run_sync(content).output}


if __name__ == "__main__":
    serve({"chat": chat, "tools": tools, "schema": schema, "picture": picture})
