"""Everything that the stand-in for Bing can do in a turn, through the provider, and what its ledger saw of it."""

import asyncio

import anyio
import pytest

from emulator.server import Emulator
from tests.support.conditions import SOON, until
from tests.support.emulator.bing_outcomes import ANSWERED
from worker.accounts.account import Account, CookieAccount
from worker.errors import UpstreamError
from worker.providers import Completion, SavedConversation, Snapshot, TextUpdate
from worker.providers.bing.edgegpt import EdgeGPTProvider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ALICE = CookieAccount("alice", {"_U": "alice"})

# word: reason, refused, whether text came before
FAILED = {
    "disengaged": ("session.disengaged", False, False),
    "empty": ("answer.empty", False, False),
    "throttled": ("account.throttled", True, False),
    "throttled-after-text": ("account.throttled", False, True),
    "captcha": ("account.captcha", True, False),
    "invalid-session": ("session.expired", True, False),
    "unauthorized": ("account.unauthorized", True, False),
    "unauthorized-signature": ("session.expired", True, False),
    "unauthorized-expired": ("session.expired", True, False),
    "forbidden": ("account.unauthorized", True, False),
    "invalid-request": ("upstream.protocol", False, False),
    "unknown-value": ("upstream.protocol", False, False),
    "internal": ("upstream.internal", False, False),
    "internal-after-text": ("upstream.internal", False, True),
    "close-before": ("transport.closed", False, False),
    "close-mid": ("transport.closed", False, True),
    "close-late": ("transport.closed", False, True),
    "reset-before": ("transport.closed", False, False),
    "reset-mid": ("transport.closed", False, True),
    "type7": ("transport.closed", False, True),
    "type7-close": ("transport.closed", False, True),
    "type3": ("upstream.internal", False, True),
    "type3-error": ("upstream.internal", False, False),
    "binary": ("upstream.protocol", False, True),
    "empty-messages": ("upstream.protocol", False, True),
    "big": ("transport.toobig", False, True),
    "bad-json": ("upstream.protocol", False, True),
    "not-object": ("upstream.protocol", False, True),
    "split-record": ("upstream.protocol", False, False),
    "no-arguments": ("upstream.protocol", False, True),
    "wrong-types": ("upstream.protocol", False, False),
    "no-result": ("upstream.protocol", False, True),
    "no-item": ("upstream.protocol", False, True),
}
ENDED = ["disengaged-mid", "turn-limit"]
SILENT = {"silence": False, "silence-mid": True, "silence-late": True}

CREATES = {
    "unauthorized-login": ("account.unauthorized", True),
    "not-allowed": ("account.unauthorized", True),
    "forbidden": ("account.unauthorized", True),
    "internal": ("upstream.internal", False),
    "try-later": ("upstream.internal", False),
    "no-ids": ("upstream.protocol", False),
    "http-403": ("account.unauthorized", True),
    "http-404": ("upstream.internal", False),
    "http-429": ("account.throttled", True),
    "http-500": ("upstream.internal", False),
    "html": ("upstream.protocol", False),
    "empty": ("upstream.protocol", False),
    "bad-json": ("upstream.protocol", False),
    "redirect-loop": ("upstream.protocol", False),
    "reset": ("transport.closed", False),
    "never": ("timeout.connect", False),
}
UPGRADES = {
    "http-200": "transport.upgrade",
    "http-403": "transport.upgrade",
    "http-404": "transport.upgrade",
    "http-502": "transport.upgrade",
    "never": "timeout.connect",
    "reset": "transport.connect",
    "silent-handshake": "timeout.connect",
    "handshake-error": "transport.upgrade",
    "handshake-close": "transport.closed",
}


def settings(bing: Emulator, connect_timeout: float = 5.0) -> WorkerSettings:
    return WorkerSettings(
        bing_create_url=bing.create_url,
        bing_chat_url=bing.chat_url,
        bing_image_url=bing.url,
        connect_timeout=connect_timeout,
    )


async def ask(
    provider: EdgeGPTProvider, question: str, conversation: SavedConversation | None = None, account: Account = ALICE
) -> tuple[list[TextUpdate], UpstreamError | None, int]:
    """Return what an ask yielded, how it failed, and how often it was marked as sent."""
    marks = 0

    async def mark() -> None:
        nonlocal marks
        marks += 1

    received: list[TextUpdate] = []
    with anyio.fail_after(20):
        try:
            async for update in provider.ask(account, conversation, "creative", question, mark):
                received.append(update)
        except UpstreamError as error:
            return received, error, marks
    return received, None, marks


def order(bing: Emulator, text: str) -> None:
    """Set how the emulator answers alice's next request."""
    bing.run_script(text.encode())


@pytest.mark.parametrize("word", ANSWERED)
async def test_an_answered_turn_completes(bing: Emulator, word: str) -> None:
    received, error, marks = await ask(EdgeGPTProvider(settings(bing)), f"tell me about rivers !{word}")
    assert error is None
    *snapshots, done = received
    assert isinstance(done, Completion)
    assert done.text
    assert bool(done.state) is (word != "learning")
    assert all(isinstance(snapshot, Snapshot) for snapshot in snapshots)
    assert "Searching" not in "".join(update.text for update in received)
    assert "\ud83d" not in done.text
    assert marks == 1
    (turn,) = bing.ledger.turns
    assert (turn.outcome, turn.invocation, turn.start_of_session, turn.tone) == ("Success", "3", True, "Creative")


async def test_an_ordinary_answer_has_everything(bing: Emulator) -> None:
    received, _, _ = await ask(EdgeGPTProvider(settings(bing)), "what is new about rivers? !search")
    done = received[-1]
    assert isinstance(done, Completion)
    assert done.urls
    assert all(source.title and source.url.startswith("http") for source in done.urls)
    assert done.suggestions
    assert done.turns
    assert (done.turns.used, done.turns.limit) == (1, 30)


@pytest.mark.parametrize("word", FAILED)
async def test_a_failed_turn_is_one_error(bing: Emulator, word: str) -> None:
    reason, refused, text = FAILED[word]
    received, error, marks = await ask(EdgeGPTProvider(settings(bing)), f"tell me about rivers !{word}")
    assert error is not None
    assert (error.reason, error.refused) == (reason, refused)
    assert bool(received) is text
    assert all(isinstance(update, Snapshot) for update in received)
    assert (marks, len(bing.ledger.turns)) == (1, 1)
    await until(lambda: bing.ledger.turns[0].ended is not None)


@pytest.mark.parametrize("word", ENDED)
async def test_a_conversation_that_is_over_has_no_state(bing: Emulator, word: str) -> None:
    received, error, _ = await ask(EdgeGPTProvider(settings(bing)), f"tell me about rivers !{word}")
    assert error is None
    done = received[-1]
    assert isinstance(done, Completion)
    assert done.text
    assert done.state is None


@pytest.mark.parametrize("word", SILENT)
async def test_a_silent_turn_is_left_to_its_caller(bing: Emulator, word: str) -> None:
    task = asyncio.ensure_future(ask(EdgeGPTProvider(settings(bing)), f"tell me about rivers !{word}"))
    await until(lambda: bing.ledger.turns and (bing.ledger.turns[0].deltas or not SILENT[word]))
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: bing.ledger.turns[0].ended is not None)
    assert bing.ledger.turns[0].outcome == "client gone"


@pytest.mark.parametrize("word", CREATES)
async def test_a_failed_creation_is_one_error_and_asks_nothing(bing: Emulator, word: str) -> None:
    order(bing, f'{{"account": "alice", "create": {{"outcome": "{word}", "times": null}}}}')
    reason, refused = CREATES[word]
    received, error, marks = await ask(EdgeGPTProvider(settings(bing, 0.3 if word == "never" else 5.0)), "hello")
    assert error is not None
    assert (error.reason, error.refused) == (reason, refused)
    assert (received, marks, len(bing.ledger.turns)) == ([], 0, 0)


@pytest.mark.parametrize("word", UPGRADES)
async def test_a_failed_upgrade_is_one_error_and_asks_nothing(bing: Emulator, word: str) -> None:
    order(bing, f'{{"account": "alice", "upgrade": {{"outcome": "{word}", "times": null}}}}')
    received, error, marks = await ask(
        EdgeGPTProvider(settings(bing, 0.3 if "timeout" in UPGRADES[word] else 5.0)), "hello"
    )
    assert error is not None
    assert (error.reason, error.refused) == (UPGRADES[word], False)
    assert (received, marks, len(bing.ledger.turns)) == ([], 0, 0)


@pytest.mark.parametrize("mode", ["success", "header-only"])
async def test_a_conversation_continues_anywhere_until_its_limit(bing: Emulator, mode: str) -> None:
    order(bing, f'{{"account": "*", "create": {{"outcome": "{mode}"}}}}')
    nobody = CookieAccount("nobody", {"MUID": "m"})
    conversation = None
    for sent in range(5):
        provider = EdgeGPTProvider(settings(bing))
        received, error, _ = await ask(provider, f"question {sent}", conversation, nobody)
        assert error is None
        done = received[-1]
        assert isinstance(done, Completion)
        assert done.turns
        assert (done.turns.used, done.turns.limit) == (sent + 1, 5)
        assert (done.state is None) is (sent == 4)
        if done.state:
            conversation = SavedConversation(done.state, sent + 1)
    assert len(bing.ledger.creates) == 1
    assert [turn.invocation for turn in bing.ledger.turns] == ["3", "4", "5", "6", "7"]


async def test_an_expired_conversation_is_refused(bing: Emulator) -> None:
    provider = EdgeGPTProvider(settings(bing))
    received, _, _ = await ask(provider, "hello")
    done = received[-1]
    assert isinstance(done, Completion)
    assert done.state
    bing.clock.advance(6 * 3600 + 1)
    received, error, _ = await ask(provider, "and now?", SavedConversation(done.state, 1))
    assert error is not None
    assert (error.reason, error.refused, received) == ("session.expired", True, [])


async def test_fifty_ask_at_once(bing: Emulator) -> None:
    provider = EdgeGPTProvider(settings(bing, connect_timeout=SOON))
    accounts = [CookieAccount(f"a{n}", {"_U": f"a{n}"}) for n in range(50)]
    turns = await asyncio.gather(*(ask(provider, f"river {a.name} !deltas=5", None, a) for a in accounts))
    for received, error, marks in turns:
        assert error is None
        assert marks == 1
        assert received[-1].text.split("delta ")[1:] == [f"{n:06d} " for n in range(1, 6)]
    assert {(turn.account, turn.question) for turn in bing.ledger.turns} == {
        (a.name, f"river {a.name} !deltas=5") for a in accounts
    }
    assert len(bing.ledger.turns) == 50
