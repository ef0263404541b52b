"""Keep the pictures that an upstream sends instead of their addresses."""

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from wire.errors import StoreUnavailableError
from wire.pictures import PictureStore, new_picture_id, picture_path
from wire.reasons import Reason
from wire.redis.retry import retry_unavailable
from worker.errors import UpstreamError
from worker.providers import Picture

# The part of PICTURE_LIMIT that one client's pictures may take: 1 / CLIENT_PART.
CLIENT_PART = 4
# Seconds for all pictures of an answer while Redis is away or its memory is full.
RETRY_LIMIT = 10.0
_LOG = structlog.get_logger()


async def keep_pictures(
    store: PictureStore,
    pictures: Sequence[Picture],
    client: str,
    *,
    ttl: int,
    limit: int,
    retry_for: float = RETRY_LIMIT,
) -> tuple[str, ...]:
    """Return the address of each picture; those that have none are kept for `ttl` seconds.

    UpstreamError `image.full` if all that is kept would exceed `limit` bytes, or the client's its part of them, or if
    Redis takes no more.
    """
    new = {number: new_picture_id() for number, picture in enumerate(pictures) if isinstance(picture, bytes)}
    contents = [(new[number], picture) for number, picture in enumerate(pictures) if isinstance(picture, bytes)]
    if contents:
        try:
            await _write(store, contents, client, ttl, limit, asyncio.get_running_loop().time() + retry_for)
        except StoreUnavailableError as error:
            raise UpstreamError(Reason.IMAGE_FULL, str(error)) from error
    return tuple(
        picture if isinstance(picture, str) else picture_path(new[number]) for number, picture in enumerate(pictures)
    )


async def _write(
    store: PictureStore, contents: Sequence[tuple[str, bytes]], client: str, ttl: int, limit: int, until: float
) -> None:
    share = limit // CLIENT_PART
    admit = partial(store.admit, contents, client, ttl=ttl, limit=limit, share=share)
    if seconds := await retry_unavailable(admit, until):
        _LOG.warning("no room for pictures", limit=limit, share=share, first_expires=seconds)
        raise UpstreamError(Reason.IMAGE_FULL, f"PICTURE_LIMIT is reached, in all or by the client, for {seconds} s")
    for id_, content in contents:
        await retry_unavailable(partial(store.write, id_, content, ttl), until)
