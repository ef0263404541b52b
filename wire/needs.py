"""What a prompt needs from the model that answers it, and what it only wishes for.

An account that lacks an ability isn't asked for what needs it. What a model can't take of the wishes is left out, and
named in the header X-Ignored-Parameters. Everything else goes to the server as it came, except what is ours: `store`,
`metadata`, `user` and `stream_options` are for the gateway.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from wire.prompt import Prompt, last_turn, pictures

# What an account may be able to do, by its names in accounts.toml.
Ability = Literal["tools", "json", "pictures", "logprobs", "sampling", "reasoning"]
ABILITIES: frozenset[Ability] = frozenset(get_args(Ability))

# The field of a chat completions request that needs an ability, for the sentence to a client.
PARAMETERS: Mapping[Ability, str] = {
    "tools": "tools",
    "json": "response_format",
    "pictures": "messages",
    "logprobs": "logprobs",
    "sampling": "temperature",
    "reasoning": "reasoning_effort",
}

# Wishes, by the ability that they take; those without one go to any server, and to none that knows only text.
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias")
_REASONING = ("reasoning_effort", "reasoning", "thinking")
_OTHERS = (
    "max_tokens", "verbosity", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "truncation", "prediction", "web_search_options",
)  # fmt: skip


def needs_of(prompt: Prompt) -> frozenset[Ability]:
    """Return the abilities without which the prompt can't be answered."""
    needs: set[Ability] = set()
    choice = prompt.tool_choice
    functions = [tool for tool in prompt.tools if tool.kind in ("function", "custom")]
    if (functions and (choice is None or choice.mode != "none")) or (choice is not None and choice.mode == "required"):
        needs.add("tools")
    if prompt.format is not None:
        needs.add("json")
    if any(pictures(prompt.messages[last_turn(prompt.messages) :])):
        needs.add("pictures")
    if prompt.options.get("logprobs") or prompt.options.get("top_logprobs"):
        needs.add("logprobs")
    return frozenset(needs)


def ignored_parameters(prompt: Prompt, abilities: frozenset[Ability], *, text_only: bool) -> tuple[str, ...]:
    """Return the wishes that a model with these abilities can't take, by their names in the prompt's options.

    `text_only`: it takes nothing but text, as Bing does.
    """
    unable = [
        *([] if "sampling" in abilities else _SAMPLING),
        *([] if "reasoning" in abilities else _REASONING),
        *(_OTHERS if text_only else ()),
    ]
    # No server speaks the dialect of Responses: none takes its hosted tools, and none cuts a conversation.
    alone = text_only or prompt.dialect == "responses"
    if alone and "truncation" not in unable:
        unable.append("truncation")
    ignored = [name for name in unable if prompt.options.get(name) is not None]
    if alone and any(tool.kind not in ("function", "custom") for tool in prompt.tools):
        ignored.append("tools")
    return tuple(ignored)


def foreign_parameters(prompt: Prompt) -> tuple[str, ...]:
    """Return what no server of another dialect gets of a prompt: unknown parameters, and hosted tools.

    An unknown parameter with the name of an option isn't among them, or that option wouldn't go to the server either.
    """
    hosted = any(tool.kind not in ("function", "custom") for tool in prompt.tools)
    unknown = (name for name in prompt.extra if name not in prompt.options)
    return (*unknown, *(("tools",) if hosted else ()))
