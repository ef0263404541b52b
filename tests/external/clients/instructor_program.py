"""instructor: answers of a schema in its three modes, a picture."""

from typing import Any

import instructor
from openai import OpenAI

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person

MODES = {"tools": instructor.Mode.TOOLS, "json": instructor.Mode.JSON, "json-schema": instructor.Mode.JSON_SCHEMA}


def client(job: Job) -> Any:
    return instructor.from_openai(OpenAI(base_url=job["url"], api_key=job["key"]), mode=MODES[job.get("mode", "tools")])


def schema(job: Job, _: list[str]) -> Outcome:
    messages = [{"role": "user", "content": job["question"]}]
    person = client(job).create(model=job["model"], messages=messages, response_model=Person)
    return {"value": person.model_dump()}


def streamed_schema(job: Job, deltas: list[str]) -> Outcome:
    """The same as it comes, by `create_partial`."""
    messages = [{"role": "user", "content": job["question"]}]
    persons = list(client(job).create_partial(model=job["model"], messages=messages, response_model=Person))
    deltas += [str(person) for person in persons]
    return {"value": persons[-1].model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    content = [job["question"], instructor.Image.from_base64(job["picture"])]
    messages = [{"role": "user", "content": content}]
    person = client(job).create(model=job["model"], messages=messages, response_model=Person)
    return {"text": person.name}


if __name__ == "__main__":
    serve({"schema": schema, "streamed-schema": streamed_schema, "picture": picture})
