"""The openai package's own readers of streams: chunks go in, the message comes out, or events and the output."""

from typing import Any

import httpx2
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.external.clients.jobs import Job, Outcome, serve


def accumulate(job: Job, _: list[str]) -> Outcome:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in job["chunks"]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    (choice,) = state.get_final_completion().choices
    return {"message": choice.message.to_dict(exclude_unset=True), "finish_reason": choice.finish_reason}


EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def follow(job: Job, _: list[str]) -> Outcome:
    for frame in job["frames"]:
        EVENTS.validate_json(frame)
    stream = "".join(f"data: {frame}\n\n" for frame in job["frames"])
    reply = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream.encode())
    transport = httpx2.MockTransport(lambda _: reply)
    with (
        OpenAI(api_key="none", http_client=httpx2.Client(transport=transport)) as client,
        client.responses.stream(model="any", input="hi") as events,
    ):
        grown = {event.item_id: event.snapshot for event in events if hasattr(event, "snapshot")}
        return {"output": [item.to_dict() for item in events.get_final_response().output], "grown": grown}


serve({"accumulate": accumulate, "follow": follow})
