"""The models that clients may ask for: a style of Bing's each, and those of the table that workers announce."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from gateway.errors import ModelNotFoundError
from wire.jobs import Client
from wire.messages import Style
from wire.needs import Ability, ignored_parameters
from wire.prompt import Prompt

STYLES: Mapping[str, Style] = {f"bing-{style}": style for style in get_args(Style)}
# How many names an error contains, and the longest part of the name that was asked for.
_MOST_NAMES = 3
_LONGEST = 64


@dataclass(frozen=True)
class ModelChoice:
    """The model that a request asks for, by the name that its job contains.

    `style` is the one of a name `bing-*`, None for a model of a server. `abilities` are those that all of its accounts
    have; `text_only`: some of them takes nothing but text.
    """

    name: str
    style: Style | None = None
    abilities: frozenset[Ability] = frozenset()
    text_only: bool = False

    def ignored(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the parameters of a prompt that the model can't take, for `Prompt.ignored`."""
        return ignored_parameters(prompt, self.abilities, text_only=self.text_only)


@dataclass(frozen=True)
class Models:
    """The models at one moment. `default` is what takes the place of an unknown name, '' for nothing."""

    default: str = ""

    def resolve(self, name: str, client: Client) -> ModelChoice:
        """Return the model of that name for a client. ModelNotFoundError, ModelAwayError."""
        if name in STYLES and is_allowed(client, name):
            return ModelChoice(name, STYLES[name], text_only=True)
        raise ModelNotFoundError(name[:_LONGEST], self._nearest(name, client))

    def names(self, client: Client) -> list[str]:
        """Return the names that a client may ask for, in the order of a list of models."""
        return [name for name in STYLES if is_allowed(client, name)]

    def _nearest(self, name: str, client: Client) -> list[str]:
        return difflib.get_close_matches(name, self.names(client), _MOST_NAMES, 0.0)


def is_allowed(client: Client, *names: str) -> bool:
    """Return whether a client's key allows a model by one of its names; a `*` in a pattern matches any characters."""
    return client.models is None or any(_matches(name, client.models) for name in names)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) for pattern in patterns)
