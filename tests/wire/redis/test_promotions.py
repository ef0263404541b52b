"""What sentinels publish about a fail-over, in orders that real ones can't be brought to; see test_sentinels.py."""

import pytest

from wire.redis.address import Endpoint
from wire.redis.promotions import CHANNELS, Promotion, Promotions

pytestmark = pytest.mark.anyio
FIRST, SECOND, THIRD = (Endpoint(f"10.0.0.{number}", 6379) for number in (1, 2, 3))
SENTINELS = 3


@pytest.fixture
def promotions(anyio_backend: str) -> Promotions:
    """Those of a service that three sentinels watch."""
    return Promotions("bing", SENTINELS)


def attempt(promotions: Promotions, sentinel: int, epoch: int, service: str = "bing") -> None:
    """Let a sentinel begin to fail over, and vote for itself."""
    promotions.record(sentinel, "+new-epoch", str(epoch))
    promotions.record(sentinel, "+try-failover", f"master {service} {FIRST.host} {FIRST.port}")
    vote(promotions, sentinel, sentinel, epoch)


def vote(promotions: Promotions, voter: int, leader: int, epoch: int) -> None:
    promotions.record(voter, "+vote-for-leader", f"sentinel-{leader} {epoch}")


def promote(promotions: Promotions, sentinel: int, new: Endpoint = SECOND, service: str = "bing") -> bool:
    content = f"slave {new} {new.host} {new.port} @ {service} {FIRST.host} {FIRST.port}"
    return promotions.record(sentinel, "+failover-state-send-slaveof-noone", content)


def current(promotions: Promotions) -> Promotion:
    promotion = promotions.current(FIRST)
    assert promotion
    return promotion


async def test_a_promotion_by_the_leader_of_a_majority_is_elected(promotions: Promotions) -> None:
    attempt(promotions, 0, epoch=4)
    vote(promotions, 1, leader=0, epoch=4)
    assert promote(promotions, 0)
    assert (current(promotions).old, current(promotions).new) == (FIRST, SECOND)
    assert promotions.is_elected(current(promotions))


async def test_one_that_was_ordered_and_asked_for_no_votes_is_not_elected(promotions: Promotions) -> None:
    attempt(promotions, 0, epoch=4)
    assert promote(promotions, 0), "its primary isn't to be used all the same"
    assert not promotions.is_elected(current(promotions))


async def test_votes_of_an_earlier_epoch_choose_nobody(promotions: Promotions) -> None:
    attempt(promotions, 0, epoch=4)
    vote(promotions, 1, leader=0, epoch=4)
    vote(promotions, 2, leader=0, epoch=4)
    attempt(promotions, 0, epoch=6)
    promote(promotions, 0)
    assert not promotions.is_elected(current(promotions))


async def test_votes_for_another_service_choose_nobody(promotions: Promotions) -> None:
    attempt(promotions, 0, epoch=4)
    promote(promotions, 0)
    attempt(promotions, 0, epoch=5, service="other")
    for voter in (1, 2):
        vote(promotions, voter, leader=0, epoch=5)
    promote(promotions, 0, service="other")
    assert current(promotions).epoch == 4
    assert not promotions.is_elected(current(promotions))


async def test_votes_for_two_leaders_of_one_epoch_do_not_add_up(promotions: Promotions) -> None:
    attempt(promotions, 0, epoch=4)
    attempt(promotions, 1, epoch=4)
    promote(promotions, 0)
    assert not promotions.is_elected(current(promotions))
    vote(promotions, 2, leader=1, epoch=4)
    assert not promotions.is_elected(current(promotions))


async def test_a_leader_of_a_later_epoch_takes_the_place_of_the_one_before(promotions: Promotions) -> None:
    attempt(promotions, 0, epoch=4)
    vote(promotions, 1, leader=0, epoch=4)
    promote(promotions, 0)
    attempt(promotions, 2, epoch=5)
    vote(promotions, 1, leader=2, epoch=5)
    assert not promotions.is_elected(current(promotions)), "as soon as most have voted for another"
    promote(promotions, 2, THIRD)
    assert current(promotions).new == THIRD
    assert promotions.is_elected(current(promotions))


async def test_a_late_word_of_an_earlier_epoch_changes_nothing(promotions: Promotions) -> None:
    """From a leader that was cut off, and continues where it was."""
    attempt(promotions, 0, epoch=4)
    attempt(promotions, 2, epoch=5)
    vote(promotions, 1, leader=2, epoch=5)
    promote(promotions, 2, THIRD)
    assert not promote(promotions, 0)
    assert current(promotions).new == THIRD
    assert promotions.is_elected(current(promotions))


@pytest.mark.parametrize("reason", ["not-elected", "no-good-slave", "master-timeout", "slave-timeout"])
async def test_what_its_sentinel_gives_up_is_no_promotion_any_more(promotions: Promotions, reason: str) -> None:
    attempt(promotions, 0, epoch=4)
    promote(promotions, 0)
    channel = f"-failover-abort-{reason}"
    assert channel in CHANNELS
    assert not promotions.record(0, channel, f"master other {FIRST.host} {FIRST.port}")
    assert not promotions.record(1, channel, f"master bing {FIRST.host} {FIRST.port}")
    assert promotions.current(FIRST)
    assert promotions.record(0, channel, f"master bing {FIRST.host} {FIRST.port}")
    assert promotions.current(FIRST) is None


async def test_votes_that_may_be_outdated_are_forgotten(promotions: Promotions) -> None:
    """A sentinel whose connection was lost may have voted again, and begun another epoch."""
    attempt(promotions, 0, epoch=4)
    vote(promotions, 1, leader=0, epoch=4)
    promote(promotions, 0)
    promotions.forget_votes(1)
    assert not promotions.is_elected(current(promotions))
    promotions.forget_votes(0)
    promotions.record(0, "+try-failover", f"master bing {FIRST.host} {FIRST.port}")
    vote(promotions, 0, leader=0, epoch=4)
    vote(promotions, 1, leader=0, epoch=4)
    assert not promote(promotions, 0), "its epoch isn't known"


async def test_a_promotion_is_over_once_most_name_another_primary(promotions: Promotions) -> None:
    promote(promotions, 0)
    assert promotions.current(SECOND) is None
    assert promotions.current(FIRST) is None, "most say so, after the switch"


async def test_a_promotion_that_the_others_do_not_agree_to_is_forgotten(
    promotions: Promotions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wire.redis.promotions._LONGEST", -1.0)
    attempt(promotions, 0, epoch=4)
    promote(promotions, 0)
    assert promotions.current(FIRST) is None
    assert promote(promotions, 1), "an earlier epoch counts again"
