"""The openai package for Python."""

from typing import Any

from openai import OpenAI

from tests.external.clients.jobs import Job, Outcome, counted, serve


def client(job: Job) -> OpenAI:
    return OpenAI(base_url=job["url"], api_key=job["key"])


def ask(job: Job, deltas: list[str]) -> Outcome:
    arguments: dict[str, Any] = {name: job[name] for name in ("model", "messages", "stop") if name in job}
    if not job.get("stream"):
        completion = client(job).chat.completions.create(**arguments)
        choice = completion.choices[0]
        return {"text": choice.message.content, "finish": choice.finish_reason, "usage": counted(completion.usage)}
    finish = usage = None
    with client(job).chat.completions.create(
        **arguments, stream=True, stream_options={"include_usage": True}
    ) as chunks:
        for chunk in chunks:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                deltas += [choice.delta.content] if choice.delta.content else []
                finish = choice.finish_reason or finish
            if len(deltas) == job.get("leave"):
                return {"left": True}
    return {"text": "".join(deltas), "finish": finish, "usage": counted(usage)}


def respond(job: Job, deltas: list[str]) -> Outcome:
    given = job.get("items") or job["question"]
    arguments = {"model": job["model"], "input": given, "previous_response_id": job.get("previous")}
    if not job.get("stream"):
        response = client(job).responses.create(**arguments)
        item = response.output[0].id
        return {"id": response.id, "text": response.output_text, "status": response.status, "item": item}
    if job.get("events"):
        return read_events(job, deltas)
    with client(job).responses.stream(**arguments) as events:
        for event in events:
            deltas += [event.delta] if event.type == "response.output_text.delta" else []
        response = events.get_final_response()
    return {"id": response.id, "text": response.output_text, "status": response.status}


def read_events(job: Job, deltas: list[str]) -> Outcome:
    """The events themselves, as most programs read them, that take what they know."""
    with client(job).responses.create(model=job["model"], input=job["question"], stream=True) as events:
        for event in events:
            deltas += [event.delta] if event.type == "response.output_text.delta" else []
    return {"text": "".join(deltas)}


def image(job: Job, _: list[str]) -> Outcome:
    images = client(job).images.generate(prompt=job["prompt"])
    return {"urls": [image.url for image in images.data]}


def models(job: Job, _: list[str]) -> Outcome:
    listed = [model.id for model in client(job).models.list()]
    return {"models": listed, "one": client(job).models.retrieve(listed[0]).id}


if __name__ == "__main__":
    serve({"ask": ask, "respond": respond, "image": image, "models": models})
