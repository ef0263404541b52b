import pytest

from emulator.openai import broken_streams
from emulator.openai.error_response import ErrorResponse
from emulator.openai.turn import SendDone, SendEnd, SendError, SendRaw
from emulator.steps import Silence, Step
from tests.support.emulator.openai_client import OpenaiClient
from tests.support.emulator.turns import completion_turn, text_length

ERROR = ErrorResponse(418, "x")


@pytest.mark.anyio
async def test_a_bad_event_costs_a_piece_of_the_text(asker: OpenaiClient) -> None:
    plain, reply = await asker.ask("tell me"), await asker.ask("tell me !bad-json !at=7")
    assert reply.pieces == plain.pieces[:7] + plain.pieces[8:]


@pytest.mark.parametrize("done", [True, False])
def test_a_failure_is_an_error_event(done: bool) -> None:
    assert list(broken_streams.fail(ERROR, "Teapot", done)(completion_turn())) == [SendError(ERROR, "Teapot", done)]


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("no_finish", SendEnd("truncated")),
        ("no_done", SendEnd("truncated")),
        ("no_reason", SendDone("truncated")),
        ("silence_first", Silence()),
    ],
)
def test_how_a_stream_breaks_off(name: str, last: Step) -> None:
    steps = list(getattr(broken_streams, name)(completion_turn()))
    assert steps[-1] == last
    whole = len(completion_turn().compose().text)
    assert (text_length(steps) == whole) == (name == "no_done")


@pytest.mark.parametrize("name", ["not_object", "wrong_types", "bad_json"])
def test_a_broken_event_comes_before_a_proper_end(name: str) -> None:
    steps = list(getattr(broken_streams, name)(completion_turn()))
    assert any(isinstance(step, SendRaw) and step.spoils for step in steps)
    assert steps[-1] == SendDone()
