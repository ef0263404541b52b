"""How many answers one client follows."""

import pytest

from gateway.answering.followers import Followers
from wire.errors import ClientFullError
from wire.jobs import ANYBODY, Client


@pytest.mark.parametrize(
    ("client", "most"),
    [(Client("a"), 400), (Client("key:b", "b", limit=1000), 4000), (Client("key:c", "c", limit=1), 64)],
)
def test_a_client_follows_four_for_each_question_that_it_may_have_but_some_always(client: Client, most: int) -> None:
    followers = Followers(100)
    for _ in range(most):
        followers.enter(client)
    with pytest.raises(ClientFullError):
        followers.enter(client)
    followers.enter(Client("other"))
    followers.leave(client)
    followers.enter(client)
    with pytest.raises(ClientFullError):
        followers.enter(client)


def test_whoever_has_no_name_is_not_counted() -> None:
    followers = Followers(1)
    for _ in range(100):
        followers.enter(ANYBODY)


def test_nothing_remains_of_a_client_that_follows_nothing() -> None:
    followers = Followers(1)
    followers.enter(Client("a"))
    followers.leave(Client("a"))
    assert not followers._counts
