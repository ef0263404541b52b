"""One secret for all gateways."""

from pathlib import Path

import pytest

from tests.support.redis_client import redis_client
from wire import keys
from wire.hmac_secret import HmacSecret, load_secret
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def test_all_get_the_one_that_was_made_first(store: Store) -> None:
    secrets = {await HmacSecret(store).read() for _ in range(3)}
    assert len(secrets) == 1
    assert len(secrets.pop()) == 32


async def test_after_a_loss_of_data_all_get_the_new_one(store: Store) -> None:
    before = HmacSecret(store)
    old = await before.read()
    await redis_client(store).flushall()
    new = await HmacSecret(store).read()
    assert await before.read() == new != old


async def test_a_recent_one_is_read_again_once_it_is_old(store: Store) -> None:
    now = 0.0
    secret = HmacSecret(store, clock=lambda: now)
    # What makes the connection says nothing of how long it will be there.
    await store.execute("PING")
    first = await secret.read()
    await redis_client(store).flushall()
    now = 2.0
    assert await secret.read_recent() == first
    now = 2.1
    assert await secret.read_recent() == await HmacSecret(store).read() != first


async def test_a_recent_one_of_a_lost_connection_is_read_again(valkey_store: Store) -> None:
    secret = HmacSecret(valkey_store)
    await valkey_store.execute("PING")
    first = await secret.read()
    await redis_client(valkey_store).flushall()
    assert await secret.read_recent() == first
    await redis_client(valkey_store).client_kill_filter(_type="normal", skipme=True)
    # The loss is noticed by the first command that needs the connection, at the latest.
    assert await valkey_store.execute("PING")
    assert await secret.read_recent() != first


async def test_a_secret_of_ones_own_is_not_sent_to_redis(store: Store) -> None:
    assert await HmacSecret(store, b"own").read() == b"own"
    assert await redis_client(store).exists(keys.secret_key()) == 0


def test_a_file_holds_it_without_white_space(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"  {'x' * 32}\n")
    assert load_secret(path) == b"x" * 32


@pytest.mark.parametrize("content", [None, "short"])
def test_a_file_that_is_no_good_is_reported_in_a_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=r"^SECRET_FILE: .*secret (can't be read|holds fewer than 32 bytes)$"):
        load_secret(path)
