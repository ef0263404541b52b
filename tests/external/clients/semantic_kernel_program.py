"""Semantic Kernel: functions that it calls by itself, a `response_format`, a picture."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory, ChatMessageContent, ImageContent, TextContent
from semantic_kernel.contents.utils.author_role import AuthorRole
from semantic_kernel.functions import kernel_function

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


class Plugin:
    """The tools as the program takes them, which names a function `ours-weather`."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    @kernel_function(description="Return the weather of a city.")
    def weather(self, city: str) -> str:
        """Return the weather of a city."""
        return self._toolbox.weather(city)

    @kernel_function(description="Return the time of day in a zone.")
    def time(self, zone: str) -> str:
        """Return the time of day in a zone."""
        return self._toolbox.time(zone)


def service(job: Job) -> OpenAIChatCompletion:
    return OpenAIChatCompletion(
        ai_model_id=job["model"], async_client=AsyncOpenAI(base_url=job["url"], api_key=job["key"])
    )


def history(job: Job) -> ChatHistory:
    asked = ChatHistory()
    asked.add_user_message(job["question"])
    return asked


def text_of(pending: Coroutine[Any, Any, Any]) -> str:
    return str(asyncio.run(pending))


def chat(job: Job, deltas: list[str]) -> Outcome:
    async def read() -> None:
        stream = service(job).get_streaming_chat_message_content(history(job), OpenAIChatPromptExecutionSettings())
        async for chunk in stream:
            deltas.extend([str(chunk)] if str(chunk) else [])

    asyncio.run(read())
    return {"text": "".join(deltas)}


def working(job: Job) -> tuple[Toolbox, dict[str, Any]]:
    """Return the tools and what a question that may use them is asked with."""
    toolbox, kernel = Toolbox(job["results"]), Kernel()
    kernel.add_plugin(Plugin(toolbox), plugin_name="ours")
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    return toolbox, {"chat_history": history(job), "settings": settings, "kernel": kernel}


def tools(job: Job, _: list[str]) -> Outcome:
    toolbox, arguments = working(job)
    return {"text": text_of(service(job).get_chat_message_content(**arguments)), "calls": toolbox.calls}


def streamed_tools(job: Job, deltas: list[str]) -> Outcome:
    """The same, streamed."""
    toolbox, arguments = working(job)

    async def read() -> None:
        async for chunk in service(job).get_streaming_chat_message_content(**arguments):
            deltas.append(str(chunk))

    asyncio.run(read())
    return {"text": "".join(deltas), "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    settings = OpenAIChatPromptExecutionSettings(response_format=Person)
    text = text_of(service(job).get_chat_message_content(history(job), settings))
    return {"value": Person.model_validate_json(text).model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    items: Any = [TextContent(text=job["question"]), ImageContent(data_uri=job["picture"])]
    asked = ChatHistory(messages=[ChatMessageContent(role=AuthorRole.USER, items=items)])
    return {"text": text_of(service(job).get_chat_message_content(asked, OpenAIChatPromptExecutionSettings()))}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
