"""How many turns may wait for one thing."""

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from worker.accounts.wait_limit import WaitLimit


@given(st.integers(1, 6), st.integers(1, 3), st.lists(st.sampled_from("xyz")))
def test_neither_all_nor_those_of_one_client_are_more_than_allowed(total: int, each: int, clients: list[str]) -> None:
    limit = WaitLimit(total, each)
    waiting: list[str] = []
    with ExitStack() as stack:
        for client in clients:
            assert limit.admits(client) == (len(waiting) < total and waiting.count(client) < each)
            if limit.admits(client):
                stack.enter_context(limit.hold(client))
                waiting.append(client)
    assert all(limit.admits(client) for client in "xyz")
