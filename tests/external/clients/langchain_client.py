"""LangChain's ChatOpenAI."""

from typing import Any

from langchain_openai import ChatOpenAI

from tests.external.clients.jobs import Job, Outcome, serve


def ask(job: Job, deltas: list[str]) -> Outcome:
    model = ChatOpenAI(model=job["model"], base_url=job["url"], api_key=job["key"], stream_usage=True)
    if not job.get("stream"):
        return whole(model.invoke(job["messages"], stop=job.get("stop")))
    message = None
    for chunk in model.stream(job["messages"], stop=job.get("stop")):
        deltas += [chunk.content] if chunk.content else []
        message = chunk if message is None else message + chunk
        if len(deltas) == job.get("leave"):
            return {"left": True}
    return whole(message)


def whole(message: Any) -> Outcome:
    counts = message.usage_metadata
    return {
        "text": message.content,
        "finish": message.response_metadata["finish_reason"],
        "usage": [counts["input_tokens"], counts["output_tokens"]],
    }


if __name__ == "__main__":
    serve({"ask": ask})
