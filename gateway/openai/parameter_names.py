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
_MESSAGE_NEEDS: Mapping[Ability, str] = {
    **_NEEDS,
    "json": "output_config.format",
    "pictures": "messages",
    "reasoning": "thinking",
}
_NEEDS_OF: Mapping[Dialect, Mapping[Ability, str]] = {
    "chat": _NEEDS,
    "responses": _RESPONSE_NEEDS,
    "anthropic": _MESSAGE_NEEDS,
}
# Options that have another name than in the chat completions API.
_OPTIONS: Mapping[Dialect, Mapping[str, str]] = {
    "chat": {},
    "responses": {
        "max_tokens": "max_output_tokens",
        "reasoning_effort": "reasoning",
        "verbosity": "text.verbosity",
    },
    "anthropic": {"reasoning_effort": "output_config.effort", "stop": "stop_sequences"},
}


def field_that_needs(dialect: Dialect, ability: Ability) -> str | None:
    """Return the field of a request that needs an ability; None if that is one of its messages."""
    return _NEEDS_OF[dialect].get(ability)


def own_names(dialect: Dialect, options: Iterable[str]) -> tuple[str, ...]:
    """Return the names that options have in a dialect."""
    return tuple(_OPTIONS[dialect].get(name, name) for name in options)
