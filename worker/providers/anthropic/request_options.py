"""Write a request's parameters as Anthropic's API has them; see https://platform.claude.com/docs/en/api/messages."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wire.prompt import Prompt

# An answer's tokens, where nobody limits them; the API wants a limit.
DEFAULT_MAX_TOKENS = 8192
# The smallest budget of thinking, and the one of each effort for models that know no efforts.
_LEAST_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192}
_LARGE_BUDGET = 16384
# Efforts by other APIs' names; whichever isn't here is `high`, its default.
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "xhigh": "max", "max": "max"}
_TIERS = {"auto": "auto", "standard_only": "standard_only", "default": "standard_only"}
# How a model is asked to think: as much as an effort says, with a budget, or not at all.
ThinkingForm = Literal["effort", "budget", "none"]
# The parameters of other APIs' clients that a server may refuse without a loss.
WISHES = ("temperature", "top_p", "top_k", "service_tier")


@dataclass(frozen=True)
class OptionsForm:
    """How one model at one server takes parameters.

    `most_tokens` is the longest answer that it allows, None if unknown; `omitted` are the wishes that it refuses.
    """

    thinking: ThinkingForm = "effort"
    most_tokens: int | None = None
    omitted: Collection[str] = field(default_factory=frozenset)


def write_options(prompt: Prompt, form: OptionsForm, *, forced: bool, thinkable: bool) -> dict[str, Any]:
    """Return the parameters, without those that the API lacks.

    `forced`: a tool must be called, so that the model can't be asked to think. `thinkable`: it may be given a budget.
    """
    options = {
        name: value for name, value in prompt.options.items() if name not in prompt.ignored and value is not None
    }
    own = prompt.dialect == "anthropic"
    body: dict[str, Any] = {"max_tokens": options.get("max_tokens", DEFAULT_MAX_TOKENS)}
    if not own or "max_tokens" not in options:
        body["max_tokens"] = min(body["max_tokens"], form.most_tokens or body["max_tokens"])
    body |= _thinking(options, form, body["max_tokens"], own=own, forced=forced)
    if body.get("thinking", {}).get("type") == "enabled" and not thinkable:
        del body["thinking"]
    thinks = body.get("thinking", {}).get("type", "disabled") != "disabled"
    body |= _own_sampling(options) if own else _sampling(options, form, thinks=thinks)
    if stops := [stop for stop in options.get("stop", ()) if stop.strip()]:
        body["stop_sequences"] = stops
    tier = options.get("service_tier")
    if tier is not None and (own or tier in _TIERS) and "service_tier" not in form.omitted:
        body["service_tier"] = tier if own else _TIERS[tier]
    return body


def find_effort(options: Mapping[str, Any]) -> str:
    """Return how much the model is to think, in words; '' where nothing says so, or its own object says it."""
    if isinstance(options.get("thinking"), dict):
        return ""
    reasoning = options.get("reasoning")
    effort = options.get("reasoning_effort") or (reasoning.get("effort") if isinstance(reasoning, dict) else None)
    return effort if isinstance(effort, str) and effort != "none" else ""


def _thinking(
    options: Mapping[str, Any], form: OptionsForm, max_tokens: int, *, own: bool, forced: bool
) -> dict[str, Any]:
    thinking = options.get("thinking")
    if own:
        effort = options.get("reasoning_effort")
        return ({"thinking": thinking} if thinking else {}) | ({"output_config": {"effort": effort}} if effort else {})
    if isinstance(thinking, dict):
        return {"thinking": thinking}
    effort = find_effort(options)
    if not effort or form.thinking == "none":
        return {}
    if form.thinking == "effort":
        level = _EFFORTS.get(effort, "high")
        # Above that the API takes it only with thinking.
        level = "high" if forced and level == "max" else level
        return {"output_config": {"effort": level}} | ({} if forced else {"thinking": {"type": "adaptive"}})
    budget = _BUDGETS.get(effort, _LARGE_BUDGET)
    if "max_tokens" not in options:
        max_tokens = min(max_tokens + budget, form.most_tokens or max_tokens + budget)
    budget = min(budget, max_tokens - 1)
    if forced or budget < _LEAST_BUDGET:
        return {}
    return {"max_tokens": max_tokens, "thinking": {"type": "enabled", "budget_tokens": budget}}


def _own_sampling(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("temperature", "top_p", "top_k") if name in options}


def _sampling(options: Mapping[str, Any], form: OptionsForm, *, thinks: bool) -> dict[str, Any]:
    """Return what of it the API takes: nothing beside thinking, and of temperature and top_p only one."""
    if thinks:
        return {}
    sampling = {name: value for name, value in _own_sampling(options).items() if name not in form.omitted}
    if "temperature" in sampling:
        sampling["temperature"] = min(sampling["temperature"], 1)
        sampling.pop("top_p", None)
    return sampling
