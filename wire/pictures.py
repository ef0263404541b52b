"""Pictures in Redis: those that an upstream sends instead of an address, kept for as long as an answer.

Each has a random id of its own, and whoever knows that may read it. Its bytes are a string beside the scripts; a script
only counts them, so that all pictures together stay below a limit, and those of one client below a share of it.
"""

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from wire import keys
from wire.redis.long_strings import CHUNK, write_string
from wire.redis.store import Store
from wire.scripts import encode_arguments

# The path at every gateway; the id follows.
PATH = "/pictures/"
# Bytes that a picture counts at least, so that the limit bounds the number of pictures too.
SMALLEST = 4096
# Seconds that a picture counts beyond its life: it is written after it was admitted.
_MARGIN = 30
MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_ID = re.compile(rf"{keys.SHARD}-[0-9a-f]{{48}}")
_WEBP_HEAD = 12


def media_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first bytes; None if it is no PNG, JPEG, GIF or WebP.

    The signatures are those of https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern. SVG is not among
    them: it may contain scripts.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:_WEBP_HEAD] == b"WEBP":
        return "image/webp"
    return None


def new_picture_id() -> str:
    """Return an unguessable id for a picture, which begins with its shard."""
    return f"{keys.SHARD}-{secrets.token_hex(24)}"


def picture_path(picture: str) -> str:
    """Return the path of a picture, which is its address in an event."""
    return PATH + picture


def picture_id(address: str) -> str | None:
    """Return the id of the picture that is kept at an address; None for an address elsewhere."""
    id_ = address.removeprefix(PATH)
    return id_ if id_ != address and _ID.fullmatch(id_) else None


@dataclass(frozen=True)
class StoredPicture:
    """A picture that is kept: its size in bytes, its media type, and for how many seconds it will be there."""

    id: str
    size: int
    media_type: str
    ttl: int


@dataclass(frozen=True)
class PictureStore:
    """The pictures of all answers. All may raise StoreUnavailableError."""

    store: Store

    async def admit(
        self, pictures: Sequence[tuple[str, bytes]], client: str, *, ttl: int, limit: int, share: int
    ) -> int:
        """Count pictures of a client, each an id and its bytes, that are to be written for `ttl` seconds.

        Returns 0, or the seconds until the first picture expires, if all would be larger than `limit` bytes together,
        or the client's larger than `share`.
        """
        arguments = encode_arguments(
            pictures=[f"{id_} {max(SMALLEST, len(content))}" for id_, content in pictures],
            client=client,
            ttl=(ttl + _MARGIN) * 1000,
            limit=limit,
            share=share,
        )
        seconds: int = await self.store.run("admit_pictures", keys.pictures_key(), keys.prefix(), arguments)
        return seconds

    async def count_bytes(self) -> int:
        """Return how many bytes the pictures that are kept now count in all."""
        now = await self.store.read_time()
        total, expired = await self.store.transact(
            ("HGET", keys.picture_sums_key(), "all"), ("ZRANGEBYSCORE", keys.pictures_key(), 0, now)
        )
        return int(total or 0) - sum(int(member.split(b" ")[1]) for member in expired)

    async def write(self, picture: str, content: bytes, ttl: int) -> None:
        """Write a picture that was admitted. A repeat writes the same."""
        await write_string(self.store, keys.picture_key(picture), content, ttl)

    async def find(self, picture: str) -> StoredPicture | None:
        """Return what is known of a picture; None if it is not there, or no longer."""
        if not _ID.fullmatch(picture):
            return None
        key = keys.picture_key(picture)
        size, head, ttl = await self.store.transact(("STRLEN", key), ("GETRANGE", key, 0, _WEBP_HEAD - 1), ("TTL", key))
        kind = media_type(head)
        return StoredPicture(picture, size, kind, max(0, ttl)) if kind else None

    async def read(self, picture: StoredPicture) -> AsyncIterator[bytes]:
        """Yield the bytes of a picture in pieces; fewer than its size if it expires meanwhile."""
        for offset in range(0, picture.size, CHUNK):
            key = keys.picture_key(picture.id)
            chunk: bytes = await self.store.transfer("GETRANGE", key, offset, offset + CHUNK - 1)
            if not chunk:
                return
            yield chunk
