"""The floor streams what the gateway streams."""

from bench.systems.floor import FloorFrames
from gateway.legacy import envelope
from gateway.legacy.frames import LegacyFrames
from wire.messages import Delta

TEXT = "delta 000001  t=1700000000000000001 "


def test_over_http_the_messages_are_the_gateways_byte_for_byte() -> None:
    frames = FloorFrames("a-token")
    assert [frames.delta(TEXT)] == LegacyFrames("a-token").encode(Delta(TEXT))
    last = envelope.encode_answer(TEXT * 2, (), done=True, reset=False, token="a-token")
    assert frames.last(TEXT * 2) == last


def test_over_websocket_they_are_too() -> None:
    frames = FloorFrames(None)
    assert [frames.delta(TEXT)] == LegacyFrames(None).encode(Delta(TEXT))
    assert frames.last(TEXT) == envelope.encode_answer(TEXT, (), done=True, reset=False, token=None)
