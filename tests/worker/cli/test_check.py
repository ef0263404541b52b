"""Check an account without asking a question."""

from collections.abc import AsyncIterator

import pytest

from tests.support.worker.harness import HookedStore, pool_on, settings_with
from tests.support.worker.scripted_provider import ScriptedProvider
from wire.ledger import AccountSlot, AccountStatus, DisplayState, Ledger, Order
from wire.reasons import Reason
from worker.accounts.account import Account, CookieAccount
from worker.cli.check import CheckResult, check_account
from worker.errors import UpstreamError

pytestmark = pytest.mark.anyio

ALICE = CookieAccount("a", {"_U": "a"})
SETTINGS = settings_with(provider=f"{__name__}:Probed", account_turns=1)


class Probed(ScriptedProvider):
    """A provider that can check."""

    failure: UpstreamError | None = None
    checked: list[str] = []
    closings = 0

    async def check(self, account: Account) -> None:
        self.checked.append(account.name)
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        Probed.closings += 1


@pytest.fixture
async def ledger(store: HookedStore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ledger]:
    """Yield a ledger that knows the account; the provider must be closed at the end."""
    monkeypatch.setattr(Probed, "failure", None)
    monkeypatch.setattr(Probed, "checked", [])
    monkeypatch.setattr(Probed, "closings", 0)
    await pool_on(store, SETTINGS).announce()
    yield Ledger(store)
    assert Probed.closings == 1


async def standing(ledger: Ledger) -> AccountStatus:
    return next(status for status in await ledger.read_statuses() if status.name == "a")


async def test_a_success_is_reported_and_changes_nothing(ledger: Ledger) -> None:
    before = await standing(ledger)
    result = await check_account(SETTINGS, ledger, ALICE)
    assert result == CheckResult("a", "", "ready", "ready")
    assert result.sentence == "a works: it was not refused; it stays ready"
    after = await standing(ledger)
    assert Probed.checked == ["a"]
    assert (after.succeeded, after.turns_today, after.in_flight, after.since) == (0, 0, 0, before.since)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (Reason.ACCOUNT_UNAUTHORIZED, "dead"),
        (Reason.ACCOUNT_CAPTCHA, "quarantined"),
        (Reason.ACCOUNT_THROTTLED, "cooling"),
    ],
)
async def test_a_refusal_is_reported_and_counts(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, reason: Reason, state: DisplayState
) -> None:
    monkeypatch.setattr(Probed, "failure", UpstreamError(reason, refused=True))
    result = await check_account(SETTINGS, ledger, ALICE)
    assert result == CheckResult("a", reason, "ready", state)
    assert result.sentence == f"a was refused: {reason}; it is now {state}"
    after = await standing(ledger)
    assert (after.state, after.reason, after.in_flight, after.turns_today) == (state, reason, 0, 0)


async def test_trouble_on_the_way_proves_nothing_of_the_account(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probed, "failure", UpstreamError(Reason.TRANSPORT_CONNECT, "planted-secret"))
    result = await check_account(SETTINGS, ledger, ALICE)
    assert result.sentence == "a could not be checked: transport.connect; it stays ready"
    assert (await standing(ledger)).failures == 0


@pytest.mark.parametrize("failure", [None, UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)])
@pytest.mark.parametrize("order", [None, "pause", "release"])
async def test_what_may_not_be_asked_stays_as_it_is_whatever_comes_of_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, order: Order | None, failure: UpstreamError | None
) -> None:
    monkeypatch.setattr(Probed, "failure", failure)
    slot = AccountSlot("one", 1, "w")
    await ledger.reserve(slot, {"a": 0}, 60)
    await ledger.record("a", slot, ALICE.fingerprint, "quarantined", "account.captcha", sent=False, pause=0)
    if order is not None:
        await ledger.execute_order("a", order)
    before = await standing(ledger)
    await check_account(SETTINGS, ledger, ALICE)
    after = await standing(ledger)
    expected = "cooling" if order == "release" else "quarantined"
    assert (after.state, after.paused) == (expected, before.paused)


async def test_an_account_that_no_worker_has_can_be_tried_too(ledger: Ledger) -> None:
    result = await check_account(SETTINGS, ledger, CookieAccount("new", {"_U": "new"}))
    assert result.sentence == "new works: it was not refused; no worker has it yet"


async def test_a_provider_that_can_not_check_is_one_sentence(store: HookedStore) -> None:
    provider = "tests.support.worker.scripted_provider:ScriptedProvider"
    with pytest.raises(ValueError, match=f"^the provider {provider} has no way to check an account$"):
        await check_account(settings_with(provider=provider), Ledger(store), ALICE)
