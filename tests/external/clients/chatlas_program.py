"""chatlas: `ChatOpenAI`, which speaks the Responses API, or `ChatAnthropic`; tools, a schema, a picture."""

from typing import Any

from chatlas import Chat, ChatAnthropic, ChatOpenAI, content_image_url

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def model(job: Job) -> Chat[Any, Any]:
    if job["api"] == "anthropic":
        address = job["url"].removesuffix("/v1")
        return ChatAnthropic(model=job["model"], api_key=job["key"], kwargs={"base_url": address})
    return ChatOpenAI(model=job["model"], base_url=job["url"], api_key=job["key"])


def chat(job: Job, deltas: list[str]) -> Outcome:
    deltas += model(job).stream(job["question"])
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    return _work(job, stream=False)


def streamed_tools(job: Job, _: list[str]) -> Outcome:
    """The chat whose model streams."""
    return _work(job, stream=True)


def _work(job: Job, stream: bool) -> Outcome:
    toolbox, asked = Toolbox(job["results"]), model(job)
    asked.register_tool(toolbox.weather)
    asked.register_tool(toolbox.time)
    asked.chat(job["question"], echo="none", stream=stream)
    turn: Any = asked.get_last_turn()
    return {"text": turn.text, "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    return {"value": model(job).chat_structured(job["question"], data_model=Person).model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    asked = model(job)
    return {"text": str(asked.chat(job["question"], content_image_url(job["picture"]), echo="none"))}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve(doings)
