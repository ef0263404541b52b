"""Images by any server that has the OpenAI API with `/images/generations`."""

import httpx
import msgspec

from wire.reasons import Reason
from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import BeforeSend, require_server
from worker.providers.openai.client import FailureReasons, ServerClient
from worker.providers.sent_mark import SendHook
from worker.settings import WorkerSettings

# Bytes of a response: URLs need few, and image data is not supported.
_MAX_BODY = 1024 * 1024
_REASONS = FailureReasons(silence=Reason.IMAGE_TIMEOUT, policy=Reason.IMAGE_BLOCKED)


class _ImageData(msgspec.Struct):
    url: str | None = None
    b64_json: str | None = None


class _ImageResponse(msgspec.Struct):
    data: list[_ImageData]


_response = msgspec.json.Decoder(_ImageResponse)


class OpenAIImageProvider:
    """An image provider (see worker.providers) that keeps nothing between requests but one TLS context.

    It doesn't set `response_format`: newer models reject it, and others return URLs by default. Image data instead of
    URLs is the error `image.protocol`: it is too large for an answer.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._client = ServerClient(settings.connect_timeout)

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[str, ...]:
        """Return the URLs of the images, in the server's order. UpstreamError if there are none."""
        server = require_server(account)
        if server.image_model is None:
            raise UpstreamError(Reason.IMAGE_NONE, "no image model")
        body = msgspec.json.encode({"model": server.image_model, "prompt": keyword})
        request = self._client.post(server, "/images/generations", body, SendHook(before_send), _REASONS)
        async with request as response:
            return _image_urls(await _read_body(response))

    async def close(self) -> None:
        """Do nothing: no resources are held."""


async def _read_body(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MAX_BODY:
            raise UpstreamError(Reason.IMAGE_PROTOCOL, "too large for addresses; are these the pictures themselves?")
    return body


def _image_urls(body: bytes) -> tuple[str, ...]:
    try:
        images = _response.decode(body).data
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "not a list of pictures") from error
    urls = tuple(image.url for image in images if image.url and image.url.startswith(("https://", "http://")))
    if not urls and any(image.b64_json for image in images):
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "the pictures themselves instead of their addresses")
    if not urls:
        raise UpstreamError(Reason.IMAGE_EMPTY, "no addresses")
    return tuple(dict.fromkeys(urls))
