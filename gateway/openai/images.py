"""POST /v1/images/generations."""

from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.idempotency import RequestKey
from gateway.answering.submit import Questions, Submission
from gateway.auth.clients import Clients
from gateway.http import responses
from gateway.http.body import BodyReader
from gateway.http.fields import idempotency_key, preferred_wait
from gateway.http.responses import Count
from gateway.openai import requests, validation
from gateway.openai.errors import AnswerFailedError
from wire.jobs import Client
from wire.messages import Failed, Image

METHODS = ["POST", "HEAD", "OPTIONS"]


class ImageUrl(msgspec.Struct):
    """The address of an image."""

    url: str


class ImageList(msgspec.Struct):
    """The images of a prompt."""

    created: Count
    data: list[ImageUrl]


@dataclass(frozen=True)
class ImageEndpoint:
    """The endpoint."""

    questions: Questions
    clients: Clients
    bodies: BodyReader

    async def generations(self, request: Request) -> Response:
        """Return the addresses of images of a prompt."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.clients.identify(request)
        wanted = requests.parse_image(validation.parse_fields(await self.bodies.read(request)))
        submission, relay = await self._submit(request, client, wanted.prompt), self.questions.relay
        request.state.answer = submission.answer_id
        async with (
            relay.active_requests.track(relay.time_limit, receive=request.receive),
            self.questions.follow(submission) as events,
        ):
            event = await relay.read_end(events)
        request.state.provider = event.provider
        if isinstance(event, Failed):
            raise AnswerFailedError(event)
        created = int((await relay.answers.read_job(submission.answer_id, client.holder)).accepted)
        data = [ImageUrl(address) for address in event.images[: wanted.limit]]
        return responses.ok(msgspec.json.encode(ImageList(created, data)))

    async def _submit(self, request: Request, client: Client, prompt: str) -> Submission:
        work = Image(prompt, request=request.state.request_id, wait=preferred_wait(request))
        key = idempotency_key(request)
        request_key = None if key is None else RequestKey(key, request.url.path)
        return await self.questions.submit(
            work, client, token=None, key=request_key, attempt=self.clients.read_attempt(request)
        )
