"""What a WebSocket's handshake may say of itself."""

import pytest

from gateway.http.handshake_check import find_handshake_fault


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b"host", b"chat.example.org:8080", None),
        (b"host", b"xn--bcher-kva.example", None),
        (b"host", b"[2001:db8::1]:443", None),
        (b"host", b"", None),
        (b"host", b"xn--a.b", 421),
        (b"host", b"\xff", 421),
        (b"host", b".".join([b"xn--" + b"a" * 57] * 966), 421),
        (b"sec-websocket-protocol", b"bing-chat.v2, key." + b"k" * 900, None),
        (b"sec-websocket-protocol", b"aa," * 21_000, 431),
        (b"sec-websocket-extensions", b"," * 60_000, 431),
        (b"connection", b"upgrade, \xe9", 431),
        (b"x-other", b"\xff" * 60_000, None),
    ],
)
def test_only_an_ordinary_handshake_is_read(name: bytes, value: bytes, status: int | None) -> None:
    assert find_handshake_fault([(b"upgrade", b"websocket"), (name, value)]) == status
