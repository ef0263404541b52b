"""The models that can be asked for: which accounts have them and what these can do, and the names that lead to them.

All of it is pure; wire.ledger reads the table, and wire.shared_read keeps it for a moment.
"""

import difflib
import heapq
import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args

import msgspec

from wire.messages import Operation, Style
from wire.needs import ABILITIES, Ability

# The models that any account answers, each in one style.
STYLES: Mapping[str, Style] = {f"bing-{style}": style for style in get_args(Style)}
# How many names are proposed in place of one that is unknown, and how alike they have to be (difflib's ratio).
_PROPOSED = 3
_ALIKE = 0.5
# So many names are compared in full, those with most pairs of letters in common: to compare a thousand takes 80 ms.
_COMPARED = 20
_LATEST = ":latest"


class Offer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker announces with an account: its models and abilities, and the aliases in the worker's file.

    `lists`: its server's list of models counts too. `text_only`: it takes nothing but text. `default` is the model for
    names that are unknown; '' for none. `calls` are the operations that its provider knows beside answers.
    """

    models: tuple[str, ...] = ()
    lists: bool = False
    abilities: tuple[str, ...] = ()
    text_only: bool = False
    aliases: dict[str, tuple[str, ...]] = {}
    default: str = ""
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfferedAccount:
    """An account that was announced within a day, and its offer; None if an old worker has it.

    `present`: a worker has it now. `version` is that of the file which the offer comes from; the newest one's aliases
    count. `disputed`: a worker with an older file offers something else. `listed` are the models that its server lists.
    """

    name: str
    provider: str
    offer: Offer | None = None
    present: bool = True
    version: int = 0
    disputed: bool = False
    listed: tuple[str, ...] = ()

    @cached_property
    def models(self) -> frozenset[str]:
        """Its models by their exact names: those of the file, and those that its server lists."""
        if self.offer is None:
            return frozenset()
        return frozenset((*self.offer.models, *(self.listed if self.offer.lists else ())))

    @cached_property
    def abilities(self) -> frozenset[Ability]:
        """What it can do."""
        return frozenset(ability for ability in ABILITIES if self.offer and ability in self.offer.abilities)

    def answers(self, model: str, needs: Collection[Ability] = ()) -> bool:
        """Return whether it has the model, and can do what is needed."""
        return (model in self.models or model in STYLES) and self.abilities.issuperset(needs)

    def takes_calls(self, model: str, operation: Operation) -> bool:
        """Return whether it has the model, by its exact name, and can be called for the operation."""
        return self.offer is not None and operation in self.offer.calls and model in self.models


@dataclass(frozen=True)
class ModelTable:
    """All models, as of one moment. A chain is a list of exact names: the first that can be had answers."""

    accounts: tuple[OfferedAccount, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = ""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names: the styles' models, aliases, and exact names."""
        return (*STYLES, *sorted({*self.aliases, *self._models} - STYLES.keys()))

    @cached_property
    def available(self) -> tuple[str, ...]:
        """The names that some account answers now, and the styles' models."""
        return tuple(name for name in self.names if name in STYLES or not self.is_away(self.find(name)))

    @cached_property
    def _models(self) -> frozenset[str]:
        return frozenset().union(*(account.models for account in self.accounts))

    def find(self, name: str) -> tuple[str, ...]:
        """Return the chain for a name as it was asked for; empty if nothing has that name.

        An alias comes before a model of its name, and exact names before `NAME:latest` and `PROVIDER/NAME`. A name
        that is unknown leads to the default.
        """
        return self._lookup(name) or (self._lookup(self.default) if self.default else ())

    def has(self, name: str) -> bool:
        """Return whether something has that name, or one that it may mean."""
        return bool(self._lookup(name))

    def _lookup(self, name: str) -> tuple[str, ...]:
        exact = next(filter(self._is_known, _forms(name)), None) or self._with_provider(name)
        return () if exact is None else self.aliases.get(exact, (exact,))

    def _is_known(self, name: str) -> bool:
        return name in STYLES or name in self.aliases or name in self._models

    def _with_provider(self, name: str) -> str | None:
        """Return the one model whose name is this one behind its provider's; None if there are several."""
        forms = set(_forms(name))
        found = [model for model in self._models if model.partition("/")[2] in forms]
        return found[0] if len(found) == 1 else None

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return the names that are most like an unknown one."""
        wanted = name.casefold()[:200]
        pairs = _pairs(wanted)
        alike = heapq.nlargest(_COMPARED, self._folded, key=lambda known: _likeness(pairs, self._folded[known][1]))
        close = difflib.get_close_matches(wanted, alike, _PROPOSED, _ALIKE)
        return tuple(self._folded[known][0] for known in close)

    @cached_property
    def _folded(self) -> dict[str, tuple[str, frozenset[str]]]:
        """All names with their pairs of letters, by their folded forms."""
        return {name.casefold(): (name, _pairs(name.casefold())) for name in self.names}

    def accounts_for(self, model: str, needs: Collection[Ability] = ()) -> tuple[OfferedAccount, ...]:
        """Return the accounts that have the model now, by its exact name, and can do what is needed."""
        return tuple(account for account in self.accounts if account.present and account.answers(model, needs))

    def is_away(self, chain: Iterable[str], needs: Collection[Ability] = ()) -> bool:
        """Return whether no account can answer now with a model of the chain."""
        return not any(self.accounts_for(model, needs) for model in chain)

    def callable_accounts(self, chain: Iterable[str], operation: Operation) -> tuple[OfferedAccount, ...]:
        """Return the accounts with a model of the chain that can be called for the operation, also those that are away.

        A style has none: its model depends on the account.
        """
        models = tuple(chain)
        return tuple(
            account for account in self.accounts if any(account.takes_calls(model, operation) for model in models)
        )

    def missing(self, chain: Iterable[str], needs: Collection[Ability]) -> frozenset[Ability]:
        """Return those of the needs that no account meets which has a model of the chain, or had it within a day.

        If there is one for each but none for all together, that is all of them. Without any account it is none.
        """
        known = self._known(chain)
        if not known or any(account.abilities.issuperset(needs) for account in known):
            return frozenset()
        return frozenset(needs) - frozenset().union(*(account.abilities for account in known)) or frozenset(needs)

    def abilities(self, chain: Iterable[str], needs: Collection[Ability] = ()) -> frozenset[Ability]:
        """Return what all accounts can do that may be asked: what one of them can't take is ignored for all."""
        asked = self._asked(chain, needs)
        return frozenset.intersection(*(account.abilities for account in asked)) if asked else frozenset()

    def providers(self, chain: Iterable[str], needs: Collection[Ability] = ()) -> frozenset[str]:
        """Return the kinds of all accounts that may be asked."""
        return frozenset(account.provider for account in self._asked(chain, needs))

    def is_text_only(self, chain: Iterable[str], needs: Collection[Ability] = ()) -> bool:
        """Return whether an account that may be asked takes nothing but text."""
        return any(account.offer is None or account.offer.text_only for account in self._asked(chain, needs))

    @property
    def is_disputed(self) -> bool:
        """Whether workers have different files."""
        return any(
            account.disputed or account.offer.aliases != self.aliases
            for account in self.accounts
            if account.present and account.offer is not None
        )

    def _known(self, chain: Iterable[str]) -> list[OfferedAccount]:
        models = tuple(chain)
        return [account for account in self.accounts if any(account.answers(model) for model in models)]

    def _asked(self, chain: Iterable[str], needs: Collection[Ability]) -> list[OfferedAccount]:
        able = [account for account in self._known(chain) if account.abilities.issuperset(needs)]
        return [account for account in able if account.present] or able


def build_table(accounts: Iterable[OfferedAccount]) -> ModelTable:
    """Return the table of these accounts. The newest file's aliases count, of those that workers have now."""
    known = tuple(sorted(accounts, key=lambda account: account.name))
    offers = [(one.present, one.version, one.name, one.offer) for one in known if one.offer is not None]
    offer = max(offers, default=(False, 0, "", Offer()))[-1]
    return ModelTable(known, offer.aliases, offer.default)


def _pairs(text: str) -> frozenset[str]:
    return frozenset(map("".join, itertools.pairwise(text)))


def _likeness(pairs: frozenset[str], others: frozenset[str]) -> float:
    return len(pairs & others) / (len(pairs) + len(others) + 1)


def _forms(name: str) -> Iterable[str]:
    """Yield the exact names that a name may mean, best first."""
    yield name
    yield name.removesuffix(_LATEST) if name.endswith(_LATEST) else name + _LATEST
    _, slash, rest = name.partition("/")
    if slash:
        yield from (rest, rest.removesuffix(_LATEST) if rest.endswith(_LATEST) else rest + _LATEST)
