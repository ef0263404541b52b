"""Pictures by any server that speaks the OpenAI API and has `/images/generations`."""

import httpx
import msgspec

from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import BeforeSend
from worker.providers.openai.client import FailureReasons, ServerClient, server_of
from worker.providers.sent_mark import SendHook
from worker.settings import WorkerSettings

# Bytes of a response; addresses need few, and pictures themselves are not passed on.
_MAX_BODY = 1024 * 1024
_REASONS = FailureReasons(silence="image.timeout", policy="image.blocked")


class _ImageData(msgspec.Struct):
    url: str | None = None
    b64_json: str | None = None


class _ImageResponse(msgspec.Struct):
    data: list[_ImageData]


_response = msgspec.json.Decoder(_ImageResponse)


class OpenAIImageProvider:
    """An image provider (see worker.providers). It holds nothing between requests but one TLS context.

    It doesn't ask for addresses (`response_format`): newer models refuse the word, and with others they are what comes
    anyway. A server that sends the pictures themselves is `image.protocol`: they are too large for an answer.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._endpoint = ServerClient(settings.connect_timeout)

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[str, ...]:
        """Addresses of the pictures, in the server's order. UpstreamError when there are none."""
        model = server_of(account).image_model
        if model is None:
            raise UpstreamError("image.none", "no image model")
        body = msgspec.json.encode({"model": model, "prompt": keyword})
        drawing = self._endpoint.post(account, "/images/generations", body, SendHook(before_send), _REASONS)
        async with drawing as response:
            return _pictures(await _whole(response))

    async def close(self) -> None:
        """Nothing is held."""


async def _whole(response: httpx.Response) -> bytes:
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MAX_BODY:
            raise UpstreamError("image.protocol", "too large for addresses; are these the pictures themselves?")
    return body


def _pictures(body: bytes) -> tuple[str, ...]:
    try:
        pictures = _response.decode(body).data
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UpstreamError("image.protocol", "not a list of pictures") from error
    found = tuple(one.url for one in pictures if one.url and one.url.startswith(("https://", "http://")))
    if not found and any(one.b64_json for one in pictures):
        raise UpstreamError("image.protocol", "the pictures themselves instead of their addresses")
    if not found:
        raise UpstreamError("image.empty", "no addresses")
    return tuple(dict.fromkeys(found))
