from emulator.accounts import ANONYMOUS, DAY, EVERYONE, EmulatorAccount, EmulatorAccounts, ScriptedOutcome


def test_a_quota_lasts_for_a_day_from_the_first_question() -> None:
    account = EmulatorAccount("a1")
    account.count_question(100.0)
    account.count_question(200.0)
    assert account.is_over_quota(2, 100.0 + DAY - 1)
    assert not account.is_over_quota(2, 100.0 + DAY)


def test_a_quota_of_zero_is_no_quota() -> None:
    account = EmulatorAccount("a1")
    account.set_used(1_000, 0.0)
    assert not account.is_over_quota(0, 1.0)


def test_only_the_anonymous_account_is_signed_out() -> None:
    assert EmulatorAccount("a1").signed_in
    assert not EmulatorAccount(ANONYMOUS).signed_in


def test_a_script_is_used_up_and_the_one_for_everyone_comes_second() -> None:
    known = EmulatorAccounts()
    known.get("a1").scripts["chat"] = ScriptedOutcome("throttled", 2)
    known.get(EVERYONE).scripts["chat"] = ScriptedOutcome("captcha", None)
    outcomes = [known.take_outcome("a1", "chat") for _ in range(4)]
    assert outcomes == ["throttled", "throttled", "captcha", "captcha"]
    assert known.take_outcome("a1", "create") is None


def test_the_account_longest_unused_is_forgotten() -> None:
    known = EmulatorAccounts(limit=2)
    for name in ("a1", "a2", "a1", "a3"):
        known.get(name).used += 1
    assert [known.get(name).used for name in ("a1", "a3", "a2")] == [2, 1, 0]
