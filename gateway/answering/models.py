"""The models that clients may ask for: a style of Bing's each, and those of the table that workers announce."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import ModelAwayError, ModelNotFoundError
from wire.jobs import Client
from wire.messages import Operation, Style
from wire.model_table import STYLES, ModelTable
from wire.needs import Ability, foreign_parameters, ignored_parameters, needs_of
from wire.prompt import Prompt

# The longest part of an unknown name that its error contains, and the longest name that is looked up at all.
_LONGEST, LONGEST_NAME = 64, 1024
# Who owns a model of Bing's, and one that several providers have or that an alias leads to.
_BING, _ANYBODY = "bing", "server"
# The dialect whose own parameters only a server of that kind takes, by both of their names.
_ANTHROPIC = "anthropic"


@dataclass(frozen=True)
class ModelChoice:
    """The model that a request asks for, by the name that its job contains, and the chain that this leads to.

    `style` is that of a name `bing-*`, None for another model or an alias.
    """

    name: str
    chain: tuple[str, ...]
    table: ModelTable
    style: Style | None = None

    def missing(self, prompt: Prompt) -> frozenset[Ability]:
        """Return what a prompt needs and none of the model's accounts can do. ModelAwayError if it may be back."""
        needs = needs_of(prompt)
        missing = needs if self._is_bare else self.table.missing(self.chain, needs)
        if needs and not missing and self.table.is_away(self.chain, needs):
            raise ModelAwayError(self.name)
        return missing

    def ignored(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the parameters of a prompt that the model can't take, for `Prompt.ignored`."""
        needs = needs_of(prompt)
        abilities = self.table.abilities(self.chain, needs)
        ignored = ignored_parameters(prompt, abilities, text_only=self.text_only(prompt))
        own = prompt.dialect == _ANTHROPIC and _ANTHROPIC in self.table.providers(self.chain, needs)
        if own or prompt.dialect == "chat":
            return ignored
        return tuple(dict.fromkeys((*ignored, *foreign_parameters(prompt))))

    def text_only(self, prompt: Prompt) -> bool:
        """Return whether accounts that a prompt may be sent to get nothing but text."""
        return self._is_bare or self.table.is_text_only(self.chain, needs_of(prompt))

    def takes_calls(self, operation: Operation) -> bool:
        """Return whether the model can be called for it. ModelAwayError if it can and nobody is there now."""
        accounts = self.table.callable_accounts(self.chain, operation)
        if accounts and not any(account.present for account in accounts):
            raise ModelAwayError(self.name)
        return bool(accounts)

    @property
    def _is_bare(self) -> bool:
        """Whether it is a style, and no account is known that could do more than text."""
        return self.style is not None and not self.table.accounts


@dataclass(frozen=True)
class Models:
    """The models of a table, as clients see them."""

    table: ModelTable

    def resolve(self, name: str, client: Client) -> ModelChoice:
        """Return the model of that name for a client. ModelNotFoundError, ModelAwayError."""
        if len(name) > LONGEST_NAME:
            raise ModelNotFoundError(name[:_LONGEST], [])
        chain = self.table.find(name)
        if not chain or not self._is_allowed(client, name, chain):
            raise ModelNotFoundError(name[:_LONGEST], self._nearest(name, client))
        style = STYLES[name] if chain == (name,) and name in STYLES else None
        if style is None and self.table.is_away(chain):
            raise ModelAwayError(name[:_LONGEST])
        return ModelChoice(name, chain, self.table, style)

    def names(self, client: Client) -> list[str]:
        """Return the names that a client may ask for now, in the order of a list of models."""
        return [name for name in self.table.available if self._is_allowed(client, name, self.table.find(name))]

    def owner(self, name: str) -> str:
        """Return who owns a model: the kind of its accounts, but never one of them."""
        if name in STYLES:
            return _BING
        providers = {account.provider for account in self.table.accounts_for(name)}
        return providers.pop() if len(providers) == 1 else _ANYBODY

    def _is_allowed(self, client: Client, name: str, chain: tuple[str, ...]) -> bool:
        """Return whether a client's key allows a name, by itself or by all that it leads to."""
        if client.models is None:
            return True
        allowed = _pattern(client.models)
        return (self.table.has(name) and bool(allowed.fullmatch(name))) or all(map(allowed.fullmatch, chain))

    def _nearest(self, name: str, client: Client) -> list[str]:
        allowed = set(self.names(client)) if client.models is not None else None
        return [known for known in self.table.nearest(name) if allowed is None or known in allowed]


def _pattern(models: Iterable[str]) -> re.Pattern[str]:
    """Return the expression for names, in which `*` matches any characters."""
    return re.compile("|".join(".*".join(map(re.escape, model.split("*"))) for model in models))
