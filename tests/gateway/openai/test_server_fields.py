"""Fields of a server's beside those of the API."""

import json
from typing import Any

import msgspec
import pytest

from gateway.openai.server_fields import add_fields


class Call(msgspec.Struct, kw_only=True):
    """A body of three kinds of fields."""

    id: str = "c1"
    note: str | None = None
    inner: dict[str, Any] = {}
    details: list[int] = []


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"id": "other"}, {}),
        ({"note": "n", "new": 1}, {"note": "n", "new": 1}),
        ({"inner": {"a": 2, "b": 2}}, {"inner": {"a": 1, "b": 2}}),
        ({"details": [2]}, {"details": [1, 2]}),
    ],
)
def test_more_fields_join_those_of_the_api_which_stay(fields: dict[str, Any], more: dict[str, Any]) -> None:
    own = {"id": "c1", "note": None, "inner": {"a": 1}, "details": [1]}
    body = add_fields(Call(inner={"a": 1}, details=[1]), fields)
    assert json.loads(msgspec.json.encode(body)) == own | more
