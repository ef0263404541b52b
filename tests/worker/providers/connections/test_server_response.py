import pytest

from tests.support.worker.silent_transport import SilentTransport
from worker.providers.connections.http_connection import HttpConnection
from worker.providers.connections.server_response import ServerResponse

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("status", "success"), [(199, False), (200, True), (299, True), (300, False)])
async def test_it_has_the_head_and_the_body_of_its_connection(status: int, success: bool) -> None:
    connection = HttpConnection()
    SilentTransport(connection)
    connection.ask(b"GET")
    interim = b"HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    head = b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\nhello" % status
    connection.data_received(interim if status < 200 else head)
    response = ServerResponse(connection)
    assert response.is_success is success
    if success:
        assert response.headers["content-length"] == "5"
        assert [part async for part in response.aiter_raw()] == [b"hello"]
