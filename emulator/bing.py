"""Everything the stand-in knows, and which outcome a question gets."""

from collections import OrderedDict
from dataclasses import dataclass, field

from emulator import outcomes, words
from emulator.accounts import Account, Accounts
from emulator.clock import Clock
from emulator.conversations import Conversation, Conversations
from emulator.ledger import Ledger
from emulator.openai.threads import Threads
from emulator.settings import EmulatorSettings
from emulator.words import Words

REMEMBERED = 100_000


@dataclass
class Bing:
    settings: EmulatorSettings
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger = field(default_factory=Ledger)
    accounts: Accounts = field(default_factory=Accounts)
    conversations: Conversations = field(default_factory=Conversations)
    threads: Threads = field(default_factory=Threads)
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def read(self, text: str, names: frozenset[str]) -> Words:
        """The words of a question or prompt; those of one with !once that was seen before have no outcome."""
        asked = words.read(text, names)
        if "once" in asked.options and not self._first_time(text):
            return Words(None, asked.options, None, asked.topic)
        return asked

    def _first_time(self, text: str) -> bool:
        if text in self._seen:
            return False
        self._seen[text] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def judge(self, account: Account, conversation: Conversation, asked: Words) -> tuple[str, Words]:
        """Outcome of a question that fits its conversation, with the words that shape it.

        Captcha and quota come first, then what is scripted for the account, the conversation's own limits, and last
        the words of the question.
        """
        if account.captcha:
            return "captcha", asked
        if account.spent(self.settings.daily_quota, self.clock.now()):
            return "throttled", asked
        script = self.accounts.take(account.name, "chat")
        if script is not None:
            told = outcomes.scripted(script, "chat")
            shaped = Words(told.outcome, asked.options | told.options, told.number, asked.topic)
            return told.outcome or asked.outcome or outcomes.default(shaped), shaped
        if conversation.turns >= conversation.limit:
            return "turn-limit", asked
        if conversation.disengaged:
            return "empty", asked
        return asked.outcome or outcomes.default(asked), asked

    def forget(self) -> None:
        """Back to the beginning: no accounts, conversations, scripts or entries, and the real time."""
        self.accounts.clear()
        self.conversations.clear()
        self.threads.clear()
        self.ledger.clear()
        self.clock.reset()
        self._seen.clear()
