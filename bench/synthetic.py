"""A provider without an upstream, which costs next to nothing: `PROVIDER=bench.synthetic:Synthetic`.

With it a worker shows what the path itself costs.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from bench import question as questions
from wire.messages import Style
from worker.accounts.account import Account
from worker.providers import BeforeSend, ChatUpdate, Completion, SavedConversation, Snapshot
from worker.providers.transcript import Recall, no_history
from worker.settings import WorkerSettings


class Synthetic:
    """A chat provider (see worker.providers) that makes the answer that a question of the bench asks for."""

    # What a session keeps of the conversation.
    state: bytes | None = b"synthetic"

    def __init__(self, settings: WorkerSettings) -> None:
        del settings

    def pieces(self, question: str) -> AsyncIterator[str]:
        """Return the answer's pieces, each when it is due."""
        return questions.pieces(questions.parse(question))

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[ChatUpdate, None]:
        """Yield the text as it grows, then the end."""
        del account, conversation, style, recall
        await before_send()
        text = ""
        async for piece in self.pieces(question):
            text += piece
            yield Snapshot(text)
        yield Completion(text, self.state)

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""
