"""Everything that the stand-in can do as a server of the OpenAI API, through the providers, and what its ledger saw."""

import asyncio

import pytest

from emulator.openai import outcomes, refusals
from emulator.server import Emulator
from tests.support.conditions import SOON, until
from wire.blocks import Block, add_piece
from wire.pictures import media_type
from worker.accounts.account import Account, ServerAccount
from worker.errors import UpstreamError
from worker.providers import Completion, Growth, Picture
from worker.providers.openai.chat import OpenAIProvider
from worker.providers.openai.images import OpenAIImageProvider
from worker.providers.surrogates import join_surrogates
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ANSWERED = {
    "plain",
    "search",
    "citations",
    "unsourced",
    "learning",
    "surrogate",
    "surrogate-end",
    "cite-cut",
    "open-mark",
    "reasoning",
    "no-role",
    "no-choices",
    "length",
    "filtered",
    "unknown-value",
    "pause-mid",
    "empty-events",
    "after-final",
    "no-done",
    "no-reason",
    "pings",
    "batch",
    "split-record",
    "crlf",
    "tight",
}
EMPTY = {"empty", "refusal"}
# word: reason, refused, whether text came before
FAILED = {
    "big": ("transport.toobig", False, True),
    "close-before": ("transport.closed", False, False),
    "close-mid": ("transport.closed", False, True),
    "close-late": ("transport.closed", False, True),
    "reset-before": ("transport.closed", False, False),
    "reset-mid": ("transport.closed", False, True),
    "no-finish": ("transport.closed", False, True),
    "internal-after-text": ("upstream.internal", False, True),
    "throttled-after-text": ("upstream.internal", False, True),
    "error-first": ("upstream.internal", True, False),
    "error-mid": ("upstream.internal", False, True),
    "error-done": ("upstream.internal", False, True),
    "bad-json": ("upstream.protocol", False, True),
    "not-object": ("upstream.protocol", False, True),
    "wrong-types": ("upstream.protocol", False, True),
    "throttled": ("account.throttled", True, False),
    "throttled-date": ("account.throttled", True, False),
    "throttled-bare": ("account.throttled", True, False),
    "quota": ("account.throttled", True, False),
    "unauthorized": ("account.refused", True, False),
    "forbidden": ("account.refused", True, False),
    "model-not-found": ("account.refused", True, False),
    "http-404": ("account.blocked", True, False),
    "context-length": ("session.toolong", True, False),
    "content-filter": ("question.refused", True, False),
    "invalid-request": ("question.invalid", True, False),
    "internal": ("upstream.internal", True, False),
    "http-502": ("upstream.gateway", False, False),
    "http-502-json": ("upstream.internal", True, False),
    "http-503": ("upstream.busy", True, False),
    "html": ("account.blocked", True, False),
}
SILENT = {"silence": False, "silence-first": False, "silence-mid": True, "silence-late": True}
WAITS = {"throttled=7": 7.0, "throttled-bare": 20.0, "quota": None}

DRAWN = {"success", "one", "slow-post=0"}
UNDRAWN = {
    "none": ("image.empty", False),
    "reset": ("transport.closed", False),
    "blocked": ("image.blocked", True),
    "unsafe": ("image.blocked", True),
    "busy": ("upstream.busy", True),
    "too-many": ("account.throttled", True),
    "quota": ("account.throttled", True),
    "sign-in": ("account.refused", True),
    "forbidden": ("account.refused", True),
    "http-404": ("account.blocked", True),
    "http-500": ("upstream.internal", True),
    "html": ("account.blocked", True),
}


def account_at(bing: Emulator) -> Account:
    return ServerAccount("alice", bing.openai_url, "stand-in", "alice", "stand-in-pictures")


async def ask(bing: Emulator, question: str) -> tuple[list[Growth | Completion], UpstreamError | None, int]:
    """Return what an ask yielded, how it failed, and how often it was marked as sent."""
    marks = 0

    async def mark() -> None:
        nonlocal marks
        marks += 1
        assert not bing.ledger.turns

    received: list[Growth | Completion] = []
    try:
        async with asyncio.timeout(SOON):
            async for update in OpenAIProvider(WorkerSettings()).ask(
                account_at(bing), None, "creative", question, mark
            ):
                received.append(update)
    except UpstreamError as error:
        return received, error, marks
    return received, None, marks


def blocks_of(received: list[Growth | Completion]) -> list[Block]:
    """The blocks that the pieces of an answer add up to."""
    blocks: list[Block] = []
    for update in received:
        for piece in update.pieces if isinstance(update, Growth) else ():
            add_piece(blocks, piece)
    return blocks


def test_no_outcome_is_left_out() -> None:
    # The rows of the outcome `shape` have tests of their own.
    assert {*ANSWERED, *EMPTY, *FAILED, *SILENT, "shape"} == set(outcomes.CHAT)
    assert {word.partition("=")[0] for word in DRAWN} | set(UNDRAWN) | {"pending", "base64"} == set(outcomes.IMAGE)
    assert set(refusals.CHAT) <= set(FAILED)


@pytest.mark.parametrize("word", sorted(ANSWERED))
async def test_an_answered_turn_completes(bing: Emulator, word: str) -> None:
    received, error, marks = await ask(bing, f"tell me about rivers !{word}{'=0' if word == 'pause-mid' else ''}")
    assert error is None
    *growths, done = received
    assert isinstance(done, Completion)
    assert all(isinstance(growth, Growth) for growth in growths)
    assert blocks_of(received) == list(done.blocks or (Block("text", done.text),))
    assert done.text
    assert done.state == b""
    assert done.usage or word == "no-done"
    assert done.finish == {"length": "length", "filtered": "content_filter"}.get(word, "stop")
    assert marks == 1
    (turn,) = bing.ledger.turns
    assert (turn.account, turn.tone, join_surrogates(turn.text)) == ("alice", "Creative", done.text)


@pytest.mark.parametrize("word", ["search", "citations"])
async def test_sources_are_passed_on(bing: Emulator, word: str) -> None:
    done = (await ask(bing, f"what is new about rivers? !{word}"))[0][-1]
    assert isinstance(done, Completion)
    assert done.urls
    assert all(source.title and source.url.startswith("http") for source in done.urls)


@pytest.mark.parametrize("word", sorted(EMPTY))
async def test_an_answer_without_text_is_left_to_its_caller(bing: Emulator, word: str) -> None:
    received, error, _ = await ask(bing, f"rivers !{word}")
    assert error is None
    assert isinstance(received[-1], Completion)
    assert received[-1].text == ""


@pytest.mark.parametrize("word", sorted(FAILED))
async def test_a_failed_turn_is_one_error(bing: Emulator, word: str) -> None:
    reason, refused, text = FAILED[word]
    received, error, marks = await ask(bing, f"tell me about rivers !{word}")
    assert error is not None
    assert (error.reason, error.refused) == (reason, refused)
    assert bool(blocks_of(received)) is text
    assert all(isinstance(update, Growth) for update in received)
    assert (marks, len(bing.ledger.turns)) == (1, 1)
    assert "rivers" not in str(error)
    await until(lambda: bing.ledger.turns[0].ended is not None)


@pytest.mark.parametrize("word", sorted(WAITS))
async def test_when_an_account_returns_is_reported(bing: Emulator, word: str) -> None:
    _, error, _ = await ask(bing, f"rivers !{word}")
    assert error is not None
    assert error.retry_after == WAITS[word]


@pytest.mark.parametrize("word", sorted(SILENT))
async def test_a_silent_turn_is_left_to_its_caller_who_hangs_up_at_once(bing: Emulator, word: str) -> None:
    task = asyncio.ensure_future(ask(bing, f"tell me about rivers !{word}"))
    await until(lambda: bool(bing.ledger.turns and bing.ledger.turns[0].deltas >= SILENT[word]))
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: bing.ledger.turns[0].ended is not None)
    assert bing.ledger.turns[0].outcome == "client gone"


async def test_a_check_reports_a_key_that_is_refused(bing: Emulator) -> None:
    provider = OpenAIProvider(WorkerSettings())
    await provider.check(account_at(bing))
    bing.run_script(b'{"account": "alice", "dead": true}')
    with pytest.raises(UpstreamError, match=r"account\.refused"):
        await provider.check(account_at(bing))
    assert not bing.ledger.turns


async def drawn(bing: Emulator, prompt: str) -> tuple[Picture, ...]:
    async def mark() -> None:
        assert not bing.ledger.images

    async with asyncio.timeout(SOON):
        return await OpenAIImageProvider(WorkerSettings()).draw(account_at(bing), prompt, mark)


@pytest.mark.parametrize("word", sorted(DRAWN))
async def test_pictures_are_drawn(bing: Emulator, word: str) -> None:
    [picture] = await drawn(bing, f"a river !{word}")
    assert isinstance(picture, str)
    assert picture.startswith(f"{bing.url}/")
    assert len(bing.ledger.images) == 1


async def test_pictures_in_base64_are_drawn_too(bing: Emulator) -> None:
    [picture] = await drawn(bing, "a river !base64")
    assert isinstance(picture, bytes)
    assert media_type(picture) == "image/png"


@pytest.mark.parametrize("word", sorted(UNDRAWN))
async def test_pictures_that_are_not_drawn_are_one_error(bing: Emulator, word: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await drawn(bing, f"a river !{word}")
    assert (caught.value.reason, caught.value.refused) == UNDRAWN[word]
    assert len(bing.ledger.images) == 1
