"""What has to be right between a request's parameters, checked as Anthropic's API does."""

from collections.abc import Collection, Iterator
from typing import Any

from emulator.anthropic.error_response import MessageError, invalid
from emulator.anthropic.sent_request import ChooseAny, ChooseTool, CountedRequest, MessageRequest, ThinkingEnabled
from emulator.json_text import Json

MOST_CACHE_CONTROLS = 4
MOST_OUTPUT = {"stand-in": 128_000, "stand-in-mini": 8_192}  # tokens
LEAST_TOP_P = 0.95  # with thoughts
# Fields that are only there with a header `anthropic-beta` that begins like this.
BETA_FIELDS = {"context_management": "context-management-", "mcp_servers": "mcp-client-"}


def check(request: CountedRequest, betas: Collection[str], value: Json) -> None:
    """Raise MessageError for the first thing that is wrong. betas: in the headers. value: the body as it was sent."""
    for name, beta in BETA_FIELDS.items():
        if value.get(name) is not None and not any(one.startswith(beta) for one in betas):
            raise MessageError(invalid(f"{name}: Extra inputs are not permitted"))
    _check_tools(request)
    count = sum(1 for _ in cache_controls(value))
    if count > MOST_CACHE_CONTROLS:
        most = f"A maximum of {MOST_CACHE_CONTROLS} blocks with cache_control may be provided."
        raise MessageError(invalid(f"{most} Found {count}."))
    if isinstance(request, MessageRequest):
        _check_limits(request, betas)
        _check_thinking(request)


def cache_controls(value: Any) -> Iterator[Json]:
    """Yield what marks the prompt to be cached, but for what is inside a schema or a call's input."""
    if isinstance(value, list):
        for item in value:
            yield from cache_controls(item)
    elif isinstance(value, dict):
        if isinstance(value.get("cache_control"), dict):
            yield value["cache_control"]
        for name in ("tools", "system", "messages", "content"):
            yield from cache_controls(value.get(name))


def _check_tools(request: CountedRequest) -> None:
    names = [tool.name for tool in request.tools or ()]
    if len(set(names)) < len(names):
        raise MessageError(invalid("tools: Tool names must be unique."))
    if request.tool_choice is None:
        return
    if not names:
        raise MessageError(invalid("tool_choice: tool_choice may only be specified while providing tools"))
    if isinstance(request.tool_choice, ChooseTool) and request.tool_choice.name not in names:
        raise MessageError(invalid(f"Tool '{request.tool_choice.name}' not found in provided tools"))


def _check_limits(request: MessageRequest, betas: Collection[str]) -> None:
    most = MOST_OUTPUT.get(request.model)
    if most is not None and request.max_tokens > most:
        found = f"max_tokens: {request.max_tokens} > {most}"
        reason = f"which is the maximum allowed number of output tokens for {request.model}"
        raise MessageError(invalid(f"{found}, {reason}"))
    if any(not text.strip() for text in request.stop_sequences or ()):
        raise MessageError(invalid("stop_sequences: each stop sequence must contain non-whitespace"))
    is_interleaved = any(beta.startswith("interleaved-thinking-") for beta in betas)
    budget = request.thinking.budget_tokens if isinstance(request.thinking, ThinkingEnabled) else 0
    if budget >= request.max_tokens and not is_interleaved:
        raise MessageError(invalid("`max_tokens` must be greater than `thinking.budget_tokens`."))


def _check_thinking(request: MessageRequest) -> None:
    if request.thinking is None or request.thinking.type == "disabled":
        return
    if request.temperature not in (None, 1):
        raise MessageError(invalid("`temperature` may only be set to 1 when thinking is enabled."))
    if request.top_p is not None and request.top_p < LEAST_TOP_P:
        reason = f"`top_p` must be greater than or equal to {LEAST_TOP_P} or unset when thinking is enabled."
        raise MessageError(invalid(reason))
    if request.top_k is not None:
        raise MessageError(invalid("`top_k` must be unset when thinking is enabled."))
    if isinstance(request.tool_choice, ChooseAny | ChooseTool):
        raise MessageError(invalid("Thinking may not be enabled when tool_choice forces tool use."))
