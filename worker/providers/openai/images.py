"""Images by any server that has the OpenAI API with `/images/generations`."""

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence

import msgspec

from wire.pictures import media_type
from wire.reasons import Reason
from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import BeforeSend, Picture, require_server
from worker.providers.content_encoding import RawResponse, decode_body
from worker.providers.openai.client import FailureReasons, ServerClient
from worker.providers.sent_mark import SendHook
from worker.settings import WorkerSettings

# The pictures of one answer: how many, and how many bytes together.
MAX_PICTURES = 10
MAX_BYTES = 16 * 1024 * 1024
# Bytes of a response: base64 takes four for three; some servers break it into lines.
MAX_BODY = MAX_BYTES // 2 * 3
_REASONS = FailureReasons(silence=Reason.IMAGE_TIMEOUT, policy=Reason.IMAGE_BLOCKED)
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_URLSAFE = str.maketrans("-_", "+/", " \t\r\n=")


class _ImageData(msgspec.Struct):
    url: str | None = None
    b64_json: str | None = None


class _ImageResponse(msgspec.Struct):
    data: list[_ImageData]


_response = msgspec.json.Decoder(_ImageResponse)


class OpenAIImageProvider:
    """An image provider (see worker.providers) that keeps nothing between requests but connections.

    It doesn't set `response_format`: newer models reject it. So some servers send addresses, and others the pictures
    themselves in base64, of which only PNG, JPEG, GIF and WebP are taken.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._client = ServerClient(settings.connect_timeout)

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[Picture, ...]:
        """Return the images, in the server's order. UpstreamError if there are none."""
        server = require_server(account)
        if server.image_model is None:
            raise UpstreamError(Reason.IMAGE_NONE, "no image model")
        body = msgspec.json.encode({"model": server.image_model, "prompt": keyword})
        request = self._client.post(server, "/images/generations", body, SendHook(before_send), _REASONS)
        async with request as response:
            content = await _read_body(response)
        # Megabytes would hold up all other answers of the worker.
        return await asyncio.to_thread(parse_images, content)

    async def close(self) -> None:
        """Close the connections that are idle."""
        self._client.close()


async def _read_body(response: RawResponse) -> bytes:
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "too large for pictures")
    body = bytearray()
    async for chunk in decode_body(response):
        body += chunk
        if len(body) > MAX_BODY:
            raise UpstreamError(Reason.IMAGE_PROTOCOL, "too large for pictures")
    return bytes(body)


def parse_images(body: bytes) -> tuple[Picture, ...]:
    """Return the images of a response's body, each once. UpstreamError if there are none, or not only images."""
    try:
        images = _response.decode(body).data
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "not a list of pictures") from error
    parsed = [picture for image in images if (picture := _parse_image(image)) is not None]
    pictures = tuple(dict.fromkeys(parsed))[:MAX_PICTURES]
    if not pictures:
        raise UpstreamError(Reason.IMAGE_EMPTY, "no addresses and no pictures")
    _check_contents([picture for picture in pictures if isinstance(picture, bytes)])
    return pictures


def _parse_image(image: _ImageData) -> Picture | None:
    """Return an image: its address where it has one, since that costs nothing here; else its bytes."""
    url = image.url or ""
    if url.startswith(("https://", "http://")):
        return url
    encoded = image.b64_json or (url if _DATA_URL.match(url) else "")
    return _decode(encoded) if encoded else None


def _decode(encoded: str) -> bytes:
    """Decode base64 of either alphabet, with or without padding, lines, and the head of a data URL."""
    match = _DATA_URL.match(encoded)
    text = encoded[match.end() :] if match else encoded
    plain = text.translate(_URLSAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "a picture that is not in base64") from error


def _check_contents(contents: Sequence[bytes]) -> None:
    if not all(map(media_type, contents)):
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "a picture that is no PNG, JPEG, GIF or WebP")
    if sum(map(len, contents)) > MAX_BYTES:
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "pictures that are too large to keep")
