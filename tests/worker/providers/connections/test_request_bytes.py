import httpx
import pytest

from worker.providers.connections.request_bytes import write_request
from worker.providers.connections.server_origin import ServerOrigin

ORIGIN = ServerOrigin(False, "host", 80, b"host")


def test_a_request_has_its_head_and_its_body() -> None:
    assert write_request("POST", ORIGIN, b"/v1/x?y=1", {b"A": b"\xc3\xa4 \t1"}, b"{}") == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nHost: host\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        b"User-Agent: bing-chat-gateway\r\nA: \xc3\xa4 \t1\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert write_request("GET", ORIGIN, b"/", {}).endswith(b"\r\nUser-Agent: bing-chat-gateway\r\n\r\n")


def test_the_user_of_an_address_goes_before_a_key() -> None:
    origin = ServerOrigin(False, "host", 80, b"host", b"dTpw")
    request = write_request("GET", origin, b"/", {b"Authorization": b"Bearer k"})
    assert b"\r\nAuthorization: Basic dTpw\r\n" in request
    assert b"Bearer" not in request


@pytest.mark.parametrize("character", [b"\n", b"\r", b"\0", b"\x1b", b"\x7f"])
def test_a_value_can_not_become_another_header(character: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError) as caught:
        write_request("GET", ORIGIN, b"/", {b"X": b"secret" + character})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\n"])
def test_a_name_is_a_token(name: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        write_request("GET", ORIGIN, b"/", {name: b""})
