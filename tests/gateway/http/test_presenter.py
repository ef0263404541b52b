"""How answers become frames of the old protocol."""

import json

import pytest

from gateway.errors import DeadlineError
from gateway.http.presenter import DeltaEvents
from wire.messages import Delta, Final

pytestmark = pytest.mark.anyio


async def test_an_answer_is_told_up_to_its_end() -> None:
    told = DeltaEvents("t", comes_back=True)
    assert told.opening(None) == []
    shown = [json.loads(one.data)["data"] for event in (Delta("a"), Final("ab")) for one in await told.of(event)]
    assert [frame["answer"] for frame in shown] == ["a", "b", "ab"]
    assert told.over


def test_what_is_in_no_table_tells_nothing_of_itself() -> None:
    told = DeltaEvents("t", comes_back=False)
    assert [json.loads(one.data)["code"] for one in told.broken_off(RuntimeError("secret"))] == [500]
    assert b"secret" not in told.broken_off(RuntimeError("secret"))[0].data
    assert json.loads(told.broken_off(DeadlineError())[0].data)["message"] == "回答超时,请重新提问"
