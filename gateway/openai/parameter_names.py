"""The names of a prompt's parameters in the dialect of its client, for what is refused or ignored by name."""

import re
from collections.abc import Iterable, Mapping

from wire.needs import Ability
from wire.prompt import Dialect, Prompt

# Clients choose the names of unknown fields: of these a header takes so many, and none that would break it.
MAX_NAMED = 32
_NAMEABLE = re.compile(r"[\w.$-]{1,64}", re.ASCII)

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


def own_names(prompt: Prompt, ignored: Iterable[str]) -> tuple[str, ...]:
    """Return what is ignored of a prompt by the names in its dialect, as far as a header can take them."""
    renamed = _OPTIONS[prompt.dialect]
    names = [renamed.get(name, name) if name in prompt.options else name for name in ignored]
    return tuple(name for name in names if _NAMEABLE.fullmatch(name))[:MAX_NAMED]
