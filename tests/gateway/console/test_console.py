"""Which routes the console has: all of them with admin keys, none without."""

from pathlib import Path

import pytest

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.console import files
from gateway.settings import GatewaySettings
from tests.support.gateway.console_client import BEARER, admin_keys, console, looking, sees
from tests.support.gateway.harness import RunningGateway
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PAGE = [route.path for route in files.routes()]
FILES = sorted(path.name for path in (Path(files.__file__).parent / "static").iterdir())
ORDERS = ["/console/accounts", "/console/accounts/a/pause", "/console/answers/a/stop"]


async def test_without_admin_keys_there_is_no_console(gateway: RunningGateway) -> None:
    for path in ["/console", "/console/live", *(f"/console/{name}" for name in FILES)]:
        assert (await gateway.client.get(path)).status_code == 404
    for path in ORDERS:
        assert (await gateway.client.post(path)).status_code == 404


async def test_all_but_the_page_needs_an_admin_key(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path) as gateway:
        for path in PAGE:
            assert (await gateway.client.get(path)).status_code == 200
        assert (await gateway.client.get("/console/live")).status_code == 401
        for path in ORDERS:
            assert (await gateway.client.post(path)).status_code == 401


async def test_ten_wrong_keys_shut_out_no_admin_of_that_address(store: Store, tmp_path: Path) -> None:
    """The attack: whoever shares a proxy with the admins sends wrong keys all the time."""
    wrong, order = {"authorization": "Bearer wrong"}, "/console/accounts/nobody/pause"
    async with console(store, tmp_path) as gateway:
        refusals = [(await gateway.client.post(order, headers=wrong)).status_code for _ in range(12)]
        assert refusals == [401] * 10 + [429] * 2
        assert (await gateway.client.post(order, headers=BEARER)).status_code == 404
        async with looking(gateway) as page:
            await sees(lambda: page.state)


@pytest.mark.parametrize("keys", ["olivia", "olivia not-a-digest\n", ""])
async def test_an_invalid_file_of_keys_is_one_sentence(store: Store, tmp_path: Path, keys: str) -> None:
    file = admin_keys(tmp_path)
    file.write_text(keys)
    settings = GatewaySettings(admin_keys_file=file)
    with pytest.raises(ValueError, match=r"ADMIN_KEYS_FILE") as refusal:
        create_app(settings, store, ActiveRequests())
    assert "\n" not in str(refusal.value)
