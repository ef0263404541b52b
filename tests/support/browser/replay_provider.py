"""What workers ask in these tests: the stand-in, but for questions `play: name`, which get an answer from `answers`."""

import asyncio
from collections.abc import AsyncGenerator

from tests.support.browser.answers import ANSWERS
from wire.messages import Style
from worker.accounts.account import Account
from worker.providers import BeforeSend, Completion, SavedConversation, Snapshot, TextUpdate
from worker.providers.bing.edgegpt import EdgeGPTProvider
from worker.providers.transcript import Recall, no_history

_PLAY = "play: "


class Upstream(EdgeGPTProvider):
    """A chat provider (see worker.providers)."""

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[TextUpdate, None]:
        """The stand-in's answer, or one that is played in pieces of some characters, so many a second."""
        name = question.removeprefix(_PLAY)
        if name not in ANSWERS:
            async for update in super().ask(account, conversation, style, question, before_send, recall):
                yield update
            return
        answer = ANSWERS[name]
        await before_send()
        for end in range(answer.piece, len(answer.text), answer.piece):
            yield Snapshot(answer.text[:end])
            await asyncio.sleep(1 / answer.rate)
        yield Completion(answer.text, b"played", answer.urls, answer.suggestions)
