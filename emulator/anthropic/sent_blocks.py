"""The content blocks of a request, field by field: https://docs.claude.com/en/api/messages."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from emulator.json_text import Json

MediaType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
# Blocks of tools that the server runs itself: their fields aren't checked.
HOSTED = ("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result")


class StrictModel(BaseModel):
    """An object in which only these fields may be."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SentCacheControl(StrictModel):
    """A point up to which the prompt is to be cached."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class SentBase64(StrictModel):
    """A picture's content."""

    type: Literal["base64"]
    media_type: MediaType
    data: str


class SentPdf(StrictModel):
    """A document's content."""

    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: str


class SentPlainText(StrictModel):
    """A document that is text."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class SentAddress(StrictModel):
    """The address of a picture or a document."""

    type: Literal["url"]
    url: str


class SentFile(StrictModel):
    """A file that was uploaded before."""

    type: Literal["file"]
    file_id: str


class SentText(StrictModel):
    """A text."""

    type: Literal["text"]
    text: str
    cache_control: SentCacheControl | None = None
    citations: list[Any] | None = None


class SentImage(StrictModel):
    """A picture."""

    type: Literal["image"]
    source: Annotated[SentBase64 | SentAddress | SentFile, Field(discriminator="type")]
    transformations: Json | None = None
    cache_control: SentCacheControl | None = None


def as_text_blocks(content: object) -> object:
    """Return content in which a text alone is a list of one block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class SentContent(StrictModel):
    """A document that is made of blocks."""

    type: Literal["content"]
    content: Annotated[
        list[Annotated[SentText | SentImage, Field(discriminator="type")]], BeforeValidator(as_text_blocks)
    ]


class SentCitations(StrictModel):
    """Whether a document may be cited."""

    enabled: bool | None = None


class SentDocument(StrictModel):
    """A document."""

    type: Literal["document"]
    source: Annotated[SentPdf | SentPlainText | SentAddress | SentContent | SentFile, Field(discriminator="type")]
    title: str | None = None
    context: str | None = None
    citations: SentCitations | None = None
    cache_control: SentCacheControl | None = None


class SentSearchResult(StrictModel):
    """Something that a search found."""

    type: Literal["search_result"]
    source: str
    title: str
    content: list[SentText]
    citations: SentCitations | None = None
    cache_control: SentCacheControl | None = None


class SentToolUse(StrictModel):
    """A call, as the assistant made it."""

    type: Literal["tool_use"]
    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    input: Json
    cache_control: SentCacheControl | None = None
    caller: Json | None = None
    toolset_name: str | None = None


class SentThinking(StrictModel):
    """Thoughts with the signature that the server gave them."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class SentRedactedThinking(StrictModel):
    """Thoughts that only the server can read."""

    type: Literal["redacted_thinking"]
    data: str


ResultBlock = Annotated[SentText | SentImage | SentDocument | SentSearchResult, Field(discriminator="type")]


class SentToolResult(StrictModel):
    """What a tool returned."""

    type: Literal["tool_result"]
    tool_use_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: Annotated[list[ResultBlock], BeforeValidator(as_text_blocks)] | None = None
    is_error: bool | None = None
    toolset_name: str | None = None
    cache_control: SentCacheControl | None = None


class SentHostedBlock(BaseModel):
    """A block of a tool that the server runs itself."""

    model_config = ConfigDict(extra="allow")

    type: str


def block_type(value: Any) -> Any:
    """Return the tag of a block."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "hosted" if kind in HOSTED else kind


SentBlock = Annotated[
    Annotated[SentText, Tag("text")]
    | Annotated[SentImage, Tag("image")]
    | Annotated[SentDocument, Tag("document")]
    | Annotated[SentSearchResult, Tag("search_result")]
    | Annotated[SentToolUse, Tag("tool_use")]
    | Annotated[SentToolResult, Tag("tool_result")]
    | Annotated[SentThinking, Tag("thinking")]
    | Annotated[SentRedactedThinking, Tag("redacted_thinking")]
    | Annotated[SentHostedBlock, Tag("hosted")],
    Discriminator(block_type),
]
