"""Reading continues once both have no reason to pause it."""

from gateway.http.read_flow import ReadFlow
from tests.support.gateway.connection import ServerTransport


def test_reading_is_paused_while_either_has_a_reason() -> None:
    transport = ServerTransport()
    flow = ReadFlow(transport)
    flow.hold()
    assert transport.paused
    flow.pause_reading()
    flow.release()
    assert (transport.paused, flow.read_paused) == (True, True)
    flow.hold()
    flow.resume_reading()
    assert (transport.paused, flow.read_paused) == (True, False)
    flow.release()
    assert not transport.paused


def test_without_anything_held_it_is_uvicorns() -> None:
    transport = ServerTransport()
    flow = ReadFlow(transport)
    flow.pause_reading()
    flow.release()
    assert (transport.paused, flow.read_paused) == (True, True)
    flow.resume_reading()
    assert (transport.paused, flow.read_paused) == (False, False)
