"""What is known about each account: its quota, its captcha flag and what is scripted for it."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

ANONYMOUS = "anonymous"
EVERYONE = "*"
DAY = 86_400.0
KEPT = 100_000

Kind = Literal["create", "upgrade", "chat", "image"]


@dataclass
class Scripted:
    """An outcome for an account's next requests of one kind; left None means for all of them."""

    outcome: str
    left: int | None


@dataclass
class Account:
    name: str
    captcha: bool = False
    dead: bool = False
    used: int = 0
    window_start: float = 0.0
    scripts: dict[Kind, Scripted] = field(default_factory=dict)

    @property
    def signed_in(self) -> bool:
        return self.name != ANONYMOUS

    def spend(self, now: float) -> None:
        """Count one question; the first one opens a window of a day."""
        if not self.used:
            self.window_start = now
        self.used += 1

    def set_used(self, count: int, now: float) -> None:
        self.used = count
        self.window_start = now

    def spent(self, quota: int, now: float) -> bool:
        """Whether the day's quota is used up; a new day starts from nothing."""
        if now - self.window_start >= DAY:
            self.used = 0
        return 0 < quota <= self.used


class Accounts:
    """Accounts by name, made when first seen; beyond KEPT the one longest unused is forgotten."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def get(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(name)
            if len(self._accounts) > KEPT:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(name)
        return account

    def take(self, name: str, kind: Kind) -> str | None:
        """The outcome scripted for this request, which uses it up once; what is meant for everyone comes second."""
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

    def clear(self) -> None:
        self._accounts.clear()
