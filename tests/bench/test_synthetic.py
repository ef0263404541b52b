"""The provider keeps to what worker.providers asks of one."""

import itertools

import pytest

from bench.question import Question
from bench.synthetic import Synthetic
from wire.reasons import Reason
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers import Completion, Snapshot
from worker.providers.registry import chat_provider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ACCOUNT = CookieAccount("bench", {"_U": "bench"})


async def test_the_text_grows_by_a_piece_at_a_time_and_ends_whole() -> None:
    sent = []

    async def before_send() -> None:
        sent.append(True)

    provider = chat_provider("bench.synthetic:Synthetic")(WorkerSettings())
    updates = [
        update async for update in provider.ask(ACCOUNT, None, "balanced", str(Question(3, 1000.0)), before_send)
    ]
    await provider.close()
    *snapshots, end = updates
    texts = [snapshot.text for snapshot in snapshots if isinstance(snapshot, Snapshot)]
    assert sent == [True]
    assert [text.count("delta") for text in texts] == [1, 2, 3]
    assert all(longer.startswith(text) for text, longer in itertools.pairwise(texts))
    assert isinstance(end, Completion)
    assert end.text == texts[-1]
    assert end.state is not None


async def test_nothing_is_made_when_the_question_must_not_be_sent() -> None:
    async def veto() -> None:
        raise UpstreamError(Reason.TIMEOUT_TOTAL)

    asking = Synthetic(WorkerSettings()).ask(ACCOUNT, None, "balanced", "hello", veto)
    with pytest.raises(UpstreamError):
        await anext(asking)
