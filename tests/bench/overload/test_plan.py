"""What a group asks for."""

import msgspec

from bench.overload.plan import Group, OverloadPlan


def test_a_group_asks_for_what_the_upstream_understands() -> None:
    request = Group("x", 1, 0, 12, 2.5, 50).request
    assert request.startswith(b"GET /api_stream?style=balanced&question=")
    assert b"%21deltas%3D12%20%21rate%3D2.5%20%21size%3D50" in request


def test_an_answer_takes_as_long_as_its_pieces() -> None:
    assert Group("x", 1, 0, 12, 2.5).answer_s == 4.8


def test_a_plan_reaches_the_client_as_it_is() -> None:
    plan = OverloadPlan([1, 2], [Group("x", 1, 0, 12, 2.5, readers=3)], 1, 4, 64)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=OverloadPlan) == plan
