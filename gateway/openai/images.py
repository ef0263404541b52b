"""POST /v1/images/generations."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.idempotency import RequestKey
from gateway.answering.submit import Questions, Submission
from gateway.auth.clients import Clients
from gateway.auth.name_owner import find_owner
from gateway.http import responses
from gateway.http.body import BodyReader
from gateway.http.fields import idempotency_key, preferred_wait
from gateway.http.pictures import public_addresses
from gateway.http.response_room import HeldRoom, ResponseRoom
from gateway.http.responses import Count
from gateway.openai import requests, validation
from gateway.openai.errors import AnswerFailedError, InvalidRequestError
from wire.errors import AnswerLostError
from wire.jobs import Client
from wire.messages import Failed, Image
from wire.pictures import PictureStore, StoredPicture, picture_id
from wire.threads import run_sized

_ELSEWHERE = (
    "'response_format' can't be 'b64_json': this picture is only an address elsewhere. Ask for 'url', with the same "
    "Idempotency-Key to get this picture and no other."
)
METHODS = ["POST", "HEAD", "OPTIONS"]


class ImageData(msgspec.Struct):
    """An image: its address or, as asked, itself."""

    url: str | UnsetType = UNSET
    b64_json: Annotated[str | UnsetType, Meta(description="The image, in base64.")] = UNSET


class ImageList(msgspec.Struct):
    """The images of a prompt."""

    created: Count
    data: list[ImageData]


@dataclass(frozen=True)
class ImageEndpoint:
    """The endpoint."""

    questions: Questions
    clients: Clients
    bodies: BodyReader
    pictures: PictureStore
    sending: ResponseRoom

    async def generations(self, request: Request) -> Response:
        """Return images of a prompt: their addresses, or themselves."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.clients.identify(request)
        wanted = requests.parse_image(await self.bodies.parse(request, validation.parse_fields))
        submission, relay = await self._submit(request, client, wanted.prompt), self.questions.relay
        request.state.answer = submission.answer_id
        async with (
            self.sending.hold(client) as held,
            relay.active_requests.track(relay.time_limit, receive=request.receive),
            self.questions.follow(submission, client) as events,
        ):
            event = await relay.read_end(events)
            request.state.provider = event.provider
            if isinstance(event, Failed):
                raise AnswerFailedError(event)
            created = int((await relay.answers.read_job(submission.answer_id, client.holder)).accepted)
            addresses = event.images[: wanted.limit]
            if wanted.inline:
                return held.respond(await self._load(created, addresses, held))
            data = [ImageData(url) for url in public_addresses(self.clients.find_origin(request), addresses)]
            return held.respond(msgspec.json.encode(ImageList(created, data)))

    async def _load(self, created: int, addresses: Sequence[str], held: HeldRoom) -> bytes:
        """Return the response with the images themselves, once there is room for all of them in base64, twice.

        InvalidRequestError for one that isn't kept here, AnswerLostError if it is gone.
        """
        pictures = [await self._find(address) for address in addresses]
        size = sum(picture.size for picture in pictures) * 4 // 3 * 2
        await held.take(size)
        data = [await self._read(picture) for picture in pictures]
        return await run_sized(size, msgspec.json.encode, ImageList(created, data))

    async def _find(self, address: str) -> StoredPicture:
        id_ = picture_id(address)
        if id_ is None:
            raise InvalidRequestError(_ELSEWHERE, "response_format", "unsupported_parameter")
        picture = await self.pictures.find(id_)
        if picture is None:
            raise AnswerLostError
        return picture

    async def _read(self, picture: StoredPicture) -> ImageData:
        content = b"".join([chunk async for chunk in self.pictures.read(picture)])
        if len(content) < picture.size:
            raise AnswerLostError
        return ImageData(b64_json=(await run_sized(len(content), base64.b64encode, content)).decode())

    async def _submit(self, request: Request, client: Client, prompt: str) -> Submission:
        work = Image(prompt, request=request.state.request_id, wait=preferred_wait(request))
        key = idempotency_key(request)
        request_key = None if key is None else RequestKey(key, request.url.path, find_owner(request, client))
        return await self.questions.submit(
            work, client, token=None, key=request_key, attempt=self.clients.read_attempt(request)
        )
