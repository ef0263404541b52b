"""LiteLLM as a library."""

from typing import Any

import litellm

from tests.external.clients.jobs import Job, Outcome, counted, serve


def ask(job: Job, deltas: list[str]) -> Outcome:
    arguments: dict[str, Any] = {name: job[name] for name in ("messages", "stop") if name in job}
    arguments |= {"model": f"openai/{job['model']}", "api_base": job["url"], "api_key": job["key"]}
    if not job.get("stream"):
        completion = litellm.completion(**arguments)
        choice = completion.choices[0]
        return {"text": choice.message.content, "finish": choice.finish_reason, "usage": counted(completion.usage)}
    finish = usage = None
    chunks = litellm.completion(**arguments, stream=True, stream_options={"include_usage": True})
    for chunk in chunks:
        usage = getattr(chunk, "usage", None) or usage
        for choice in chunk.choices:
            deltas += [choice.delta.content] if choice.delta.content else []
            finish = choice.finish_reason or finish
        if len(deltas) == job.get("leave"):
            chunks.completion_stream.close()
            return {"left": True}
    return {"text": "".join(deltas), "finish": finish, "usage": counted(usage)}


def image(job: Job, _: list[str]) -> Outcome:
    images = litellm.image_generation(job["prompt"], "openai/pictures", api_base=job["url"], api_key=job["key"])
    return {"urls": [image.url for image in images.data]}


def models(job: Job, _: list[str]) -> Outcome:
    models = litellm.get_valid_models(
        check_provider_endpoint=True, custom_llm_provider="openai", api_base=job["url"], api_key=job["key"]
    )
    return {"models": [name.removeprefix("openai/") for name in models]}


if __name__ == "__main__":
    serve({"ask": ask, "image": image, "models": models})
