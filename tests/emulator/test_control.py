import pytest

from emulator.server import Emulator
from tests.support.emulator.bing_client import BingClient

pytestmark = pytest.mark.anyio


async def test_the_health_check_answers(client: BingClient) -> None:
    async with client.session.get(f"{client.url}/_health") as response:
        assert await response.json() == {"status": "ok"}


async def test_a_script_is_carried_out_and_a_wrong_one_refused(client: BingClient, upstream: Emulator) -> None:
    async with client.session.post(f"{client.url}/_script", data='{"clock": {"advance": 1000}}') as response:
        assert (response.status, await response.json()) == (200, {"done": True})
    async with client.session.post(f"{client.url}/_script", data="{") as response:
        assert response.status == 400
        assert "Invalid JSON" in (await response.json())["error"]


async def test_the_ledger_can_be_cleared(client: BingClient) -> None:
    await client.create()
    async with client.session.delete(f"{client.url}/_ledger") as response:
        assert response.status == 200
    assert (await client.ledger())["creates"] == []
