"""The openai package's own reader of a stream: chunks go in, the message comes out."""

from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tests.external.clients.jobs import Job, Outcome, serve


def accumulate(job: Job, _: list[str]) -> Outcome:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in job["chunks"]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    (choice,) = state.get_final_completion().choices
    return {"message": choice.message.to_dict(exclude_unset=True), "finish_reason": choice.finish_reason}


serve({"accumulate": accumulate})
