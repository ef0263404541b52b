"""The body of a request, field by field: https://docs.claude.com/en/api/messages."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from emulator.anthropic.sent_blocks import SentBlock, SentCacheControl, SentText, StrictModel, as_text_blocks
from emulator.json_text import Json

ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]


class SentMessage(StrictModel):
    """A message."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[list[SentBlock], BeforeValidator(as_text_blocks)]


class SentSchema(BaseModel):
    """The schema of a tool's input."""

    model_config = ConfigDict(extra="allow")

    type: Literal["object"]


class SentTool(StrictModel):
    """A tool of the client's."""

    type: Literal["custom"] | None = None
    name: ToolName
    description: str | None = None
    input_schema: SentSchema
    cache_control: SentCacheControl | None = None
    strict: bool | None = None
    defer_loading: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[Json] | None = None
    allowed_callers: list[str] | None = None


class SentNamedTool(BaseModel):
    """A tool that Anthropic has defined: its type names its version."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(pattern=r"^[a-z_]+_\d{8}$")]
    name: ToolName
    cache_control: SentCacheControl | None = None


def tool_type(value: Any) -> str:
    """Return the tag of a tool."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "custom" if kind in (None, "custom") else "named"


AnyTool = Annotated[
    Annotated[SentTool, Tag("custom")] | Annotated[SentNamedTool, Tag("named")], Discriminator(tool_type)
]


class ChooseAuto(StrictModel):
    """A tool may be called."""

    type: Literal["auto"]
    disable_parallel_tool_use: bool | None = None


class ChooseAny(StrictModel):
    """Some tool must be called."""

    type: Literal["any"]
    disable_parallel_tool_use: bool | None = None


class ChooseTool(StrictModel):
    """One tool must be called."""

    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool | None = None


class ChooseNone(StrictModel):
    """No tool may be called."""

    type: Literal["none"]


class ThinkingEnabled(StrictModel):
    """Think with a budget of tokens."""

    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1024)]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingDisabled(StrictModel):
    """Don't think."""

    type: Literal["disabled"]


class ThinkingAdaptive(StrictModel):
    """Think as much as the question needs."""

    type: Literal["adaptive"]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingBetweenTools(StrictModel):
    """Think between calls alone."""

    type: Literal["between_tools"]


AnyChoice = Annotated[ChooseAuto | ChooseAny | ChooseTool | ChooseNone, Field(discriminator="type")]
AnyThinking = Annotated[
    ThinkingEnabled | ThinkingDisabled | ThinkingAdaptive | ThinkingBetweenTools, Field(discriminator="type")
]


class SentMetadata(StrictModel):
    """About the request."""

    user_id: Annotated[str, Field(max_length=256)] | None = None


class SentFormat(StrictModel):
    """The form of the answer."""

    type: Literal["json_schema"]
    schema_: Annotated[Json, Field(alias="schema")]


class SentOutput(StrictModel):
    """How the answer is written."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: SentFormat | None = None


class CountedRequest(StrictModel):
    """The body of a request whose tokens are to be counted."""

    model: Annotated[str, Field(min_length=1)]
    messages: list[SentMessage]
    system: Annotated[list[SentText], BeforeValidator(as_text_blocks)] | None = None
    tools: list[AnyTool] | None = None
    tool_choice: AnyChoice | None = None
    thinking: AnyThinking | None = None
    output_config: SentOutput | None = None
    cache_control: SentCacheControl | None = None
    context_management: Json | None = None
    mcp_servers: list[Json] | None = None
    output_format: SentFormat | None = None


class MessageRequest(CountedRequest):
    """The body of a request for a message."""

    max_tokens: Annotated[int, Field(ge=1)]
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    metadata: SentMetadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    container: Any = None
    inference_geo: str | None = None
    speed: Literal["standard", "fast"] | None = None
    diagnostics: Json | None = None
    user_profile_id: str | None = None
    workspace_id: str | None = None
