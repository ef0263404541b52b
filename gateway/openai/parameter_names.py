"""The names of a prompt's parameters in the dialect of its client, for what is refused or ignored by name."""

from collections.abc import Iterable, Mapping

from wire.needs import Ability
from wire.prompt import Dialect

# The fields by which a question needs an ability of its model.
_NEEDS: Mapping[Ability, str] = {
    "tools": "tools",
    "json": "response_format",
    "logprobs": "logprobs",
    "sampling": "temperature",
    "reasoning": "reasoning_effort",
}
_RESPONSE_NEEDS: Mapping[Ability, str] = {
    **_NEEDS,
    "json": "text.format",
    "pictures": "input",
    "logprobs": "top_logprobs",
    "reasoning": "reasoning",
}
# Options that have another name than in the chat completions API.
_RESPONSE_OPTIONS: Mapping[str, str] = {
    "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning",
    "verbosity": "text.verbosity",
}


def field_that_needs(dialect: Dialect, ability: Ability) -> str | None:
    """Return the field of a request that needs an ability; None if that is one of its messages."""
    return (_RESPONSE_NEEDS if dialect == "responses" else _NEEDS).get(ability)


def own_names(dialect: Dialect, options: Iterable[str]) -> tuple[str, ...]:
    """Return the names that options have in a dialect."""
    return tuple(_RESPONSE_OPTIONS.get(name, name) if dialect == "responses" else name for name in options)
