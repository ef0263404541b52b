"""GET /pictures/{picture}: the pictures that are kept here, and their addresses for clients."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import ClientGoneError
from gateway.http import responses
from wire.pictures import PATH, PictureStore, StoredPicture, picture_id

METHODS = ["GET", "HEAD", "OPTIONS"]
ROUTE = PATH + "{picture}"
# Seconds in which a client has to take a picture.
SEND_LIMIT = 60.0
# Whatever the bytes are: a browser shows them as a picture or not at all, and runs nothing of them.
_HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox",
    "referrer-policy": "no-referrer",
    # Pages of every origin may show it: only who has read its answer knows its address.
    "cross-origin-resource-policy": "cross-origin",
}


def shows_picture(request: Request) -> bool:
    """Return whether a browser wants this only to show it as a picture, as it does of an `<img>`'s address.

    Such an address is the upstream's choice, and may be one of this service, under whatever name or behind a redirect.
    https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header: sent to https and to the own machine.
    """
    return request.headers.get("sec-fetch-dest") == "image"


def public_addresses(origin: str, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses of an event for a client: those of pictures that are kept here begin with `origin`.

    With '' they remain paths, which a client resolves against the address that it asked.
    """
    return tuple(origin + address if picture_id(address) else address for address in addresses)


@dataclass(frozen=True)
class PictureEndpoint:
    """The endpoint. It needs no API key, which an `<img>` couldn't send: only who got the answer knows the id."""

    store: PictureStore
    send_limit: float = SEND_LIMIT

    async def picture(self, request: Request) -> Response:
        """Return a picture. HTTPException 404 if it is no longer kept."""
        if request.method == "OPTIONS":
            return responses.options(METHODS)
        picture = await self.store.find(request.path_params["picture"])
        if picture is None:
            raise HTTPException(404)
        headers = _HEADERS | {
            "content-length": str(picture.size),
            # By no shared cache: who may see it was the sender's choice.
            "cache-control": f"private, max-age={picture.ttl}, immutable",
        }
        if request.method == "HEAD":
            return Response(headers=headers, media_type=picture.media_type)
        return PictureResponse(self.store, picture, headers, self.send_limit)


class PictureResponse(Response):
    """Sends a picture piece by piece, so that a slow client costs one piece of memory."""

    def __init__(self, store: PictureStore, picture: StoredPicture, headers: dict[str, str], send_limit: float) -> None:
        super().__init__(headers=headers, media_type=picture.media_type)
        self._store = store
        self._picture = picture
        self._send_limit = send_limit

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve ASGI. ClientGoneError for a client that is too slow."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with asyncio.timeout(self._send_limit):
                async for chunk in self._store.read(self._picture):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            raise ClientGoneError from None
        await send({"type": "http.response.body", "body": b""})
