"""The pool: which account a new session gets."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from worker.accounts import Account


@dataclass
class _Usage:
    in_flight: int = 0
    turns: int = 0
    refused: int = 0


class Pool:
    """The accounts of one worker, with what it has seen of each."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._usage = {name: _Usage() for name in self._accounts}

    def __len__(self) -> int:
        return len(self._accounts)

    def get(self, name: str) -> Account | None:
        """The account of that name, if it is still there."""
        return self._accounts.get(name)

    def choose(self, excluded: Collection[str]) -> Account | None:
        """The account that was refused least lately, and has least to do; None if all are excluded."""
        names = [name for name in self._accounts if name not in excluded]
        if not names:
            return None

        def burden(name: str) -> tuple[int, int, int]:
            usage = self._usage[name]
            return usage.refused, usage.in_flight, usage.turns

        return self._accounts[min(names, key=burden)]

    @contextmanager
    def turn(self, account: Account) -> Iterator[None]:
        """Count a turn of the account while it runs."""
        usage = self._usage[account.name]
        usage.in_flight += 1
        usage.turns += 1
        try:
            yield
        finally:
            usage.in_flight -= 1

    def refused(self, account: Account) -> None:
        """The upstream refused a question because of the account: others come first from now on."""
        self._usage[account.name].refused += 1

    def served(self, account: Account) -> None:
        """The account gave an answer: it stands in line with the others again."""
        self._usage[account.name].refused = 0
