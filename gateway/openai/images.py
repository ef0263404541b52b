"""POST /v1/images/generations."""

from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import Relay
from gateway.auth.clients import Clients
from gateway.errors import DrainingError
from gateway.http import responses
from gateway.http.body import read_body
from gateway.legacy import params
from gateway.openai import requests, validation
from gateway.openai.errors import AnswerFailedError
from wire.jobs import Client, new_answer_id, new_token
from wire.messages import Failed, Image

METHODS = ["POST", "HEAD", "OPTIONS"]


@dataclass(frozen=True)
class Images:
    """The endpoint. `max_body` is in bytes."""

    relay: Relay
    clients: Clients
    idempotency: Idempotency
    max_body: int

    async def generations(self, request: Request) -> Response:
        """Pictures of what a prompt says, by their addresses."""
        if request.method != "POST":
            return responses.nothing(request, METHODS)
        client = self.clients.of(request)
        asked = requests.pictures(validation.fields(await read_body(request, self.max_body)))
        answer, new = await self._submit(request, client, asked.prompt)
        request.state.answer = answer
        async with (
            self.relay.turns.turn(self.relay.limit, receive=request.receive),
            self.relay.resume(answer, new=new) as entries,
        ):
            event = await self.relay.whole(entries)
        request.state.provider = event.provider
        if isinstance(event, Failed):
            raise AnswerFailedError(event)
        created = int((await self.relay.answers.read_job(answer, client.holder)).accepted)
        data = [{"url": address} for address in event.images[: asked.most]]
        return responses.ok(msgspec.json.encode({"created": created, "data": data}))

    async def _submit(self, request: Request, client: Client, prompt: str) -> tuple[str, bool]:
        """The answer's id, and whether the prompt has only now been asked."""
        if self.relay.turns.draining:
            raise DrainingError
        wait = params.patience(", ".join(request.headers.getlist("prefer")))
        work, fresh = Image(prompt, request=request.state.request_id, wait=wait), new_answer_id()
        key, token, once = self.idempotency.key(request, client), new_token(), None
        if key is not None:
            once, token = await self.idempotency.once(client, key, request.url.path, work, None)
        answer = await self.relay.jobs.submit(fresh, work, token, create=True, client=client, once=once)
        return answer, answer == fresh
