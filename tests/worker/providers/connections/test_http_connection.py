import asyncio
import itertools

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.conditions import SOON, until
from tests.support.worker.silent_transport import SilentTransport
from worker.providers.connections import http_connection
from worker.providers.connections.http_connection import HttpConnection, ReusedConnectionClosedError
from worker.providers.connections.server_response import ServerResponse

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Content-Type: a\r\nX: 1\r\nx: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
MEASURED = OK + b"Content-Length: 5\r\n\r\nhello"


def connect() -> tuple[HttpConnection, SilentTransport]:
    connection = HttpConnection()
    transport = SilentTransport(connection)
    connection.ask(b"GET")
    return connection, transport


async def read(connection: HttpConnection) -> bytes:
    async with asyncio.timeout(SOON):
        await connection.read_head()
        body = b""
        while part := await connection.read():
            body += part
        return body


async def failure(connection: HttpConnection) -> httpx.HTTPError:
    with pytest.raises(httpx.HTTPError) as caught:
        await read(connection)
    return caught.value


@given(st.lists(st.integers(0, 200), max_size=8))
def test_a_response_is_read_however_it_is_cut(cuts: list[int]) -> None:
    async def run() -> None:
        connection, _ = connect()
        whole = b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" + CHUNKED + BODY
        places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
        for start, stop in itertools.pairwise(places):
            connection.data_received(whole[start:stop])
        assert await read(connection) == b"hello world"
        assert connection.status == 200
        assert connection.headers == {"content-type": "a", "x": "1, 2", "transfer-encoding": "chunked"}
        assert connection.is_reusable

    asyncio.run(run())


async def test_what_arrives_is_read_at_once() -> None:
    connection, transport = connect()
    assert transport.written == b"GET"
    reading = asyncio.ensure_future(connection.read_head())
    await asyncio.sleep(0)
    connection.data_received(CHUNKED + BODY[:6])
    await reading
    assert await connection.read() == b"hel"
    further = asyncio.ensure_future(connection.read())
    await asyncio.sleep(0)
    connection.data_received(BODY[6:])
    assert [await further, await connection.read(), await connection.read()] == [b"lo", b" world", b""]


@pytest.mark.parametrize(
    ("response", "reusable"),
    [
        (MEASURED, True),
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 204 No\r\n\r\n", True),
        (CHUNKED + BODY, True),
        (OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
        (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY, False),
        (MEASURED + MEASURED, False),
        (MEASURED + b"rubbish", False),
        (b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n\x00", False),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", True),
    ],
)
async def test_it_is_reused_only_where_nothing_speaks_against_it(response: bytes, reusable: bool) -> None:
    connection, _ = connect()
    connection.data_received(response)
    assert await read(connection) in (b"", b"hello", b"hello world")
    assert connection.is_reusable is reusable


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    connection, transport = connect()
    connection.data_received(OK + b"\r\nhello")
    assert not connection.is_complete
    transport.lose()
    assert await read(connection) == b"hello"
    assert not connection.is_reusable


@pytest.mark.parametrize("response", [b"", OK, CHUNKED, CHUNKED + BODY[:-2], MEASURED[:-1]])
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_a_cut_is_none_of_a_body(response: bytes, error: Exception | None) -> None:
    connection, transport = connect()
    if response:
        connection.data_received(response)
    transport.lose(error)
    assert type(await failure(connection)) is (httpx.ReadError if error else httpx.RemoteProtocolError)


async def test_a_reset_is_no_end_of_a_body_without_a_length() -> None:
    connection, transport = connect()
    connection.data_received(OK + b"\r\nhello")
    transport.lose(ConnectionResetError())
    assert isinstance(await failure(connection), httpx.ReadError)


@pytest.mark.parametrize(("begun", "kind"), [(b"", ReusedConnectionClosedError), (b"H", httpx.RemoteProtocolError)])
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_a_reused_one_that_is_cut_before_any_byte_is_known(
    begun: bytes, kind: type[Exception], error: Exception | None
) -> None:
    connection, transport = connect()
    connection.data_received(MEASURED)
    assert await read(connection) == b"hello"
    connection.ask(b"GET")
    if begun:
        connection.data_received(begun)
    transport.lose(error)
    expected = httpx.ReadError if begun and error else kind
    assert type(await failure(connection)) is expected


async def test_the_next_response_has_nothing_of_the_one_before() -> None:
    connection, _ = connect()
    connection.data_received(MEASURED)
    await connection.read_head()
    connection.ask(b"GET")
    connection.data_received(b"HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx")
    assert await read(connection) == b"x"
    assert (connection.status, connection.headers) == (404, {"content-length": "1"})


@pytest.mark.parametrize("response", [b"rubbish\r\n\r\n", OK + b"rubbish\r\n\r\n", CHUNKED + b"zz\r\n"])
async def test_what_is_no_http_is_an_error_and_hangs_up(response: bytes) -> None:
    connection, transport = connect()
    connection.data_received(response)
    assert type(await failure(connection)) is httpx.RemoteProtocolError
    await until(lambda: transport.is_lost)


@pytest.mark.parametrize("endless", [OK + b"X: 1\r\n" * 20_000, CHUNKED + b"1;" + b"x" * 110_000])
async def test_a_head_without_an_end_is_cut_off(endless: bytes) -> None:
    connection, transport = connect()
    for start in range(0, len(endless), 4096):
        connection.data_received(endless[start : start + 4096])
    assert isinstance(await failure(connection), httpx.RemoteProtocolError)
    await until(lambda: transport.is_lost)


@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 103 Hints\r\nX: 1\r\n\r\n"])
@pytest.mark.parametrize("more", [0, 1])
async def test_a_response_may_have_256_headers_and_one_more_hangs_up(interim: bytes, more: int) -> None:
    """Each is added to those of its name, which takes seconds where they are many."""
    connection, transport = connect()
    count = 255 - bool(interim) + more
    connection.data_received(interim + OK + b"X: 1\r\n" * count + b"Content-Length: 5\r\n\r\nhello")
    if more:
        assert isinstance(await failure(connection), httpx.RemoteProtocolError)
        await until(lambda: transport.is_lost)
    else:
        assert await read(connection) == b"hello"
        assert connection.headers["x"] == ", ".join("1" * count)


async def test_many_small_chunks_are_no_head() -> None:
    connection, _ = connect()
    connection.data_received(CHUNKED)
    for _ in range(50_000):
        connection.data_received(b"1\r\nx\r\n")
    connection.data_received(b"0\r\n\r\n")
    assert await read(connection) == b"x" * 50_000


async def test_chunks_with_far_more_around_them_than_in_them_are_cut_off() -> None:
    connection, transport = connect()
    connection.data_received(CHUNKED)
    for _ in range(100):
        connection.data_received(b"1;" + b"e" * 10_000 + b"\r\n:\r\n")
    assert isinstance(await failure(connection), httpx.RemoteProtocolError)
    assert transport.is_closing()


async def test_thousands_of_parts_that_wait_are_read_as_one() -> None:
    connection, _ = connect()
    connection.data_received(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        connection.data_received(b"1\r\nx\r\n" * 100)
    assert await connection.read() == b"x" * 10_000
    connection.data_received(b"1\r\na\r\n" * 2 + b"0\r\n\r\n")
    assert [await connection.read() for _ in range(3)] == [b"a", b"a", b""]


END = b"0\r\n\r\n"
TINY_CHUNKS = CHUNKED + b"1\r\nx\r\n" * 10_000


@pytest.mark.parametrize("end", [END, END + b"rubbish", END + MEASURED * 500])
async def test_thousands_of_chunks_at_once_leave_others_their_turn(end: bytes) -> None:
    connection, transport = connect()
    changes: list[bool] = []
    connection.on_change = lambda: changes.append(connection.is_reusable)
    connection.data_received(TINY_CHUNKS + end)
    body, most = b"", 0
    while part := await connection.read():
        assert transport.is_paused or connection.is_complete
        body, most = body + part, max(most, len(part))
        await asyncio.sleep(0)
    assert body == b"x" * 10_000
    assert 0 < most <= 2000
    assert connection.is_reusable is (end == END)
    assert changes[0] is (end == END)


async def test_a_second_response_behind_thousands_of_chunks_is_never_read() -> None:
    """The first one ends just where a part that is parsed at once does."""
    connection, _ = connect()
    whole = TINY_CHUNKS + END
    whole = whole.replace(b"X: 1", b"X: 1" + b"1" * (-len(whole) % http_connection._SLICE), 1)
    connection.data_received(whole + MEASURED * 10)
    assert await read(connection) == b"x" * 10_000
    assert not connection.is_reusable


async def test_what_arrives_behind_thousands_of_chunks_is_read_behind_them() -> None:
    connection, _ = connect()
    connection.data_received(TINY_CHUNKS)
    connection.data_received(b"1\r\ny\r\n0\r\n\r\n")
    assert await read(connection) == b"x" * 10_000 + b"y"


async def test_thousands_of_chunks_are_read_also_if_the_connection_ends() -> None:
    connection, transport = connect()
    connection.data_received(TINY_CHUNKS + b"0\r\n\r\n")
    transport.lose()
    assert await read(connection) == b"x" * 10_000


async def test_one_that_is_hung_up_parses_no_more() -> None:
    connection, transport = connect()
    connection.data_received(TINY_CHUNKS + b"0\r\n\r\n")
    connection.close()
    await until(lambda: transport.is_lost)
    assert isinstance(await failure(connection), httpx.RemoteProtocolError)
    assert not connection.is_complete


async def test_events_in_many_chunks_are_cut_at_their_ends() -> None:
    connection, _ = connect()
    event = b"data: " + b"x" * 300 + b"\n\n"
    connection.data_received(CHUNKED + b"134\r\n%s\r\n" % event * 500 + b"0\r\n\r\n")
    parts = [part async for part in ServerResponse(connection).aiter_raw()]
    assert b"".join(parts) == event * 500
    assert all(part.endswith(b"\n\n") for part in parts)


async def test_many_tiny_parts_that_nobody_reads_slow_their_server() -> None:
    connection, transport = connect()
    connection.data_received(CHUNKED)
    for _ in range(4000):
        connection.data_received(b"1\r\nx\r\n")
    assert not transport.is_paused
    for _ in range(200):
        connection.data_received(b"1\r\nx\r\n")
    assert transport.is_paused
    assert await connection.read() == b"x" * 4200
    assert not transport.is_paused


@pytest.mark.parametrize(("size", "endless"), [(1, True), (2, True), (16, False)])
async def test_a_body_of_tiny_parts_without_an_end_is_cut_off(
    size: int, endless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "_MOST_MISSING", 20_000)
    connection, transport = connect()
    connection.data_received(CHUNKED)
    for _ in range(2000):
        connection.data_received(b"%x\r\n%s\r\n" % (size, b"x" * size))
    assert transport.is_closing() is endless


async def test_a_server_that_is_faster_than_its_reader_is_slowed() -> None:
    connection, transport = connect()
    connection.data_received(OK + b"Content-Length: 1000000\r\n\r\n")
    for _ in range(4):
        assert not transport.is_paused
        connection.data_received(bytes(65_536))
    connection.data_received(bytes(1))
    assert transport.is_paused
    assert [len(await connection.read()) for _ in range(5)] == [65_536] * 4 + [1]
    assert not transport.is_paused


async def test_one_that_was_slowed_and_not_read_to_its_end_is_not_reused() -> None:
    """Nothing would arrive on it any more."""
    connection, transport = connect()
    connection.data_received(OK + b"Content-Length: 300000\r\n\r\n")
    await connection.read_head()
    connection.data_received(bytes(300_000))
    assert (connection.is_complete, transport.is_paused) == (True, True)
    assert not connection.is_reusable


@pytest.mark.parametrize(("rest", "reusable"), [(1000, True), (100_000, False)])
async def test_a_short_rest_is_dropped_and_a_long_one_hangs_up(rest: int, reusable: bool) -> None:
    connection, _ = connect()
    changes: list[bool] = []
    connection.on_change = lambda: changes.append(connection.is_reusable)
    connection.data_received(OK + b"Content-Length: %d\r\n\r\n" % (rest + 5) + b"hello")
    connection.drop_rest()
    for _ in range(rest // 500):
        connection.data_received(bytes(500))
    assert connection.is_reusable is reusable
    await until(lambda: changes == [reusable])


async def test_words_that_nobody_asked_for_hang_up() -> None:
    connection, transport = connect()
    connection.data_received(MEASURED)
    connection.data_received(b"HTTP/1.1 408 Late\r\n\r\n")
    assert not connection.is_open
    await until(lambda: transport.is_lost)
