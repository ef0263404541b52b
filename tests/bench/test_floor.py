"""The floor streams what the gateway streams."""

from bench.floor import Frames
from gateway import envelope
from gateway.sse import frame

TEXT = "delta 000001  t=1700000000000000001 "


def test_the_frames_are_the_gateways_byte_for_byte() -> None:
    frames = Frames("a-token")
    assert frames.delta(TEXT) == frame(envelope.DeltaFrames("a-token").frame(TEXT))
    last = envelope.answer(TEXT * 2, (), done=True, reset=False, token="a-token")
    assert frames.last(TEXT * 2) == frame(last)
