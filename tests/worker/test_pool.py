import pytest

from worker.accounts import Account
from worker.pool import Pool

A, B, C = (Account(name, {"_U": name}) for name in "abc")


def test_an_account_is_found_by_its_name() -> None:
    pool = Pool([A, B])
    assert pool.get("b") is B
    assert pool.get("c") is None
    assert len(pool) == 2


def test_the_account_with_the_least_in_flight_comes_first() -> None:
    pool = Pool([A, B])
    with pool.turn(A):
        assert pool.choose(()) is B
        with pool.turn(B), pool.turn(B):
            assert pool.choose(()) is A


def test_turns_are_spread_over_all_accounts() -> None:
    pool = Pool([A, B, C])
    chosen = []
    for _ in range(6):
        account = pool.choose(())
        assert account is not None
        with pool.turn(account):
            chosen.append(account.name)
    assert chosen == ["a", "b", "c", "a", "b", "c"]


def test_a_turn_that_breaks_is_not_in_flight_any_more() -> None:
    pool = Pool([A, B])
    with pytest.raises(RuntimeError), pool.turn(A):
        raise RuntimeError
    with pool.turn(B):
        assert pool.choose(()) is A


def test_a_refused_account_comes_last_until_it_serves_again() -> None:
    pool = Pool([A, B])
    pool.refused(A)
    with pool.turn(B), pool.turn(B):
        assert pool.choose(()) is B
        pool.served(A)
        assert pool.choose(()) is A


def test_of_refused_accounts_the_one_refused_less_often_comes_first() -> None:
    pool = Pool([A, B])
    pool.refused(A)
    pool.refused(B)
    pool.refused(A)
    assert pool.choose(()) is B


def test_excluded_accounts_are_not_chosen() -> None:
    pool = Pool([A, B])
    assert pool.choose({"a"}) is B
    assert pool.choose({"a", "b"}) is None
    assert Pool([]).choose(()) is None
