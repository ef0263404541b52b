"""What is known about each account: its quota, its captcha flag and what is scripted for it."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Literal

from emulator.reply import ScriptedReply

ANONYMOUS = "anonymous"
EVERYONE = "*"
DAY = 86_400.0
LIMIT = 100_000

RequestKind = Literal["create", "upgrade", "chat", "image", "call"]


@dataclass
class ScriptedOutcome:
    """An outcome for an account's next requests of one kind; left None means for all of them."""

    outcome: str
    left: int | None


@dataclass
class EmulatorAccount:
    """One account of the emulated service: a cookie of Bing's or a key of the other API."""

    name: str
    captcha: bool = False
    dead: bool = False
    used: int = 0
    window_start: float = 0.0
    scripts: dict[RequestKind, ScriptedOutcome] = field(default_factory=dict)
    replies: deque[ScriptedReply] = field(default_factory=deque)

    @property
    def signed_in(self) -> bool:
        """Whether the account is more than the anonymous one."""
        return self.name != ANONYMOUS

    def count_question(self, now: float) -> None:
        """Count one question; the first one opens a window of a day."""
        if not self.used:
            self.window_start = now
        self.used += 1

    def set_used(self, count: int, now: float) -> None:
        """Set the number of questions, in a window that opens now."""
        self.used = count
        self.window_start = now

    def is_over_quota(self, quota: int, now: float) -> bool:
        """Return whether the day's quota is used up; a new day starts from nothing."""
        if now - self.window_start >= DAY:
            self.used = 0
        return 0 < quota <= self.used


class EmulatorAccounts:
    """Accounts by name, made when first seen; beyond `kept` the one longest unused is forgotten."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._accounts: OrderedDict[str, EmulatorAccount] = OrderedDict()

    def get(self, name: str) -> EmulatorAccount:
        """Return the account of this name."""
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = EmulatorAccount(name)
            if len(self._accounts) > self._limit:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(name)
        return account

    def take_outcome(self, name: str, kind: RequestKind) -> str | None:
        """Return the outcome scripted for this request and use it up once; a script for everyone comes second."""
        for owner in (name, EVERYONE):
            scripts = self.get(owner).scripts
            scripted = scripts.get(kind)
            if scripted is None:
                continue
            if scripted.left is not None:
                scripted.left -= 1
                if scripted.left <= 0:
                    del scripts[kind]
            return scripted.outcome
        return None

    def take_reply(self, name: str) -> ScriptedReply | None:
        """Return the answer scripted for the account's next question, or for everyone's, and use it up."""
        for owner in (name, EVERYONE):
            replies = self.get(owner).replies
            if replies:
                return replies.popleft()
        return None

    def clear(self) -> None:
        """Forget every account."""
        self._accounts.clear()
