import httpx
import pytest

from tests.worker.desk import until
from tests.worker.providers.vendor import Vendor
from worker.providers.mark import Mark

pytestmark = pytest.mark.anyio


async def test_it_is_set_once_when_the_connection_stands_and_before_anything_is_written() -> None:
    marks: list[int] = []

    async with Vendor() as vendor:

        async def before_send() -> None:
            await until(lambda: vendor.connections == 1)
            marks.append(vendor.bytes)

        mark = Mark(before_send)
        for _ in range(2):
            async with httpx.AsyncClient() as client:
                await client.post(vendor.url, content=b"x", extensions={"trace": mark.trace})
        assert marks == [0]
        assert len(vendor.asked) == 2


async def test_a_veto_is_kept_and_nothing_is_written() -> None:
    veto = RuntimeError("stale")

    async def before_send() -> None:
        raise veto

    mark = Mark(before_send)
    async with Vendor() as vendor, httpx.AsyncClient() as client:
        with pytest.raises(RuntimeError, match="stale"):
            await client.post(vendor.url, content=b"x", extensions={"trace": mark.trace})
        assert mark.veto is veto
        assert (vendor.bytes, vendor.asked) == (0, [])
