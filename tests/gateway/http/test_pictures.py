"""Pictures that are kept here, over real connections."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from gateway.errors import ClientGoneError
from gateway.http.pictures import PictureResponse, public_addresses
from tests.support.gateway.harness import RunningGateway
from tests.support.redis_client import redis_client
from wire import keys
from wire.pictures import PictureStore, new_picture_id, picture_path
from wire.redis.long_strings import CHUNK
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
JPEG = b"\xff\xd8\xff\xe0" + b"j" * (2 * CHUNK)


async def keep_picture(store: Store, content: bytes, ttl: int = 60) -> str:
    id_ = new_picture_id()
    await PictureStore(store).write(id_, content, ttl)
    return id_


def test_only_paths_of_ours_get_the_origin() -> None:
    ours, elsewhere = picture_path(new_picture_id()), "https://e.org/pictures/1"
    assert public_addresses("https://g.example", (ours, elsewhere)) == (f"https://g.example{ours}", elsewhere)
    assert public_addresses("", (ours,)) == (ours,)


@pytest.mark.parametrize("cors_origins", ["*"])
@pytest.mark.parametrize(("content", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
async def test_a_picture_is_served_as_a_picture_and_nothing_else(
    gateway: RunningGateway, content: bytes, kind: str
) -> None:
    response = await gateway.client.get(picture_path(await keep_picture(gateway.store, content)))
    assert (response.status_code, response.content) == (200, content)
    assert response.headers["content-type"] == kind
    assert response.headers["content-length"] == str(len(content))
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert response.headers["access-control-allow-origin"] == "*"
    directives = response.headers["cache-control"].split(", ")
    assert (directives[0], directives[2]) == ("private", "immutable")
    assert 0 < int(directives[1].removeprefix("max-age=")) <= 60


async def test_head_and_options_send_no_bytes(gateway: RunningGateway) -> None:
    path = picture_path(await keep_picture(gateway.store, PNG))
    head = await gateway.client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PNG)))
    assert (await gateway.client.options(path)).headers["allow"] == "GET, HEAD, OPTIONS"
    assert (await gateway.client.post(path)).status_code == 405


@pytest.mark.parametrize("id_", ["x", "s0-" + "0" * 48, "..%2f..%2fapi", "s0-" + "0" * 31 + "*"])
async def test_what_is_not_kept_is_404(gateway: RunningGateway, id_: str) -> None:
    await keep_picture(gateway.store, PNG)
    assert (await gateway.client.get(f"/pictures/{id_}")).status_code == 404


async def test_a_picture_is_gone_with_its_time(gateway: RunningGateway) -> None:
    id_ = await keep_picture(gateway.store, PNG)
    await redis_client(gateway.store).delete(keys.picture_key(id_))
    gone = await gateway.client.get(picture_path(id_))
    assert (gone.status_code, gone.headers["cache-control"]) == (404, "no-store")


async def test_bytes_that_are_no_picture_are_never_served(gateway: RunningGateway) -> None:
    id_ = await keep_picture(gateway.store, b"<svg><script>alert(1)</script></svg>")
    assert (await gateway.client.get(picture_path(id_))).status_code == 404


async def test_a_client_that_does_not_read_is_let_go(gateway: RunningGateway) -> None:
    store, sent = PictureStore(gateway.store), list[Message]()
    picture = await store.find(await keep_picture(gateway.store, JPEG))
    assert picture is not None

    async def stuck(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Any:
        raise AssertionError

    with pytest.raises(ClientGoneError):
        await PictureResponse(store, picture, {}, 0.5)({}, receive, stuck)
    assert [len(message.get("body", b"")) for message in sent] == [0, CHUNK], "one piece is all that it costs"
