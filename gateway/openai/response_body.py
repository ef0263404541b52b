"""The body of a response of /v1/responses."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.http.responses import Count
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import Fault
from gateway.openai.models import ModelName, model_name
from gateway.openai.service import SubmittedQuestion
from gateway.openai.sources import Citation
from gateway.openai.usage import Estimated, TokenCounts, count_tokens

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]
IncompleteReason = Literal["max_output_tokens", "content_filter"]
# The reason of an incomplete response, by how its answer ended.
_INCOMPLETE: Mapping[str, IncompleteReason] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_EMPTY: dict[str, Any] = {"items": {}, "maxItems": 0}
Empty = Annotated[list[Any], Meta(extra_json_schema=_EMPTY)]


class TextCitation(msgspec.Struct, kw_only=True):
    """A source and its place in the text."""

    type: Literal["url_citation"] = "url_citation"
    start_index: Count
    end_index: Count
    url: str
    title: str


class OutputText(msgspec.Struct, kw_only=True):
    """The text of a message."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[TextCitation]
    logprobs: Empty = []


class OutputMessage(msgspec.Struct, kw_only=True):
    """The message of a response."""

    id: str
    type: Literal["message"] = "message"
    status: ItemStatus
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class ResponseError(msgspec.Struct, kw_only=True):
    """The reason why a response failed. The code is one that clients don't repeat, unless they may."""

    code: str
    message: str
    reason: Annotated[str, Meta(description="The code that the error has elsewhere, such as `interrupted`.")]


class IncompleteDetails(msgspec.Struct, kw_only=True):
    """The reason why a response is incomplete."""

    reason: IncompleteReason


class Reasoning(msgspec.Struct, kw_only=True):
    """Options without effect."""

    effort: None = None
    summary: None = None


class PlainText(msgspec.Struct, kw_only=True):
    """The only format."""

    type: Literal["text"] = "text"


class TextOptions(msgspec.Struct, kw_only=True):
    """The format of the text."""

    format: PlainText = msgspec.field(default_factory=PlainText)


class InputDetails(msgspec.Struct, kw_only=True):
    """Details of the input's tokens."""

    cached_tokens: Count = 0


class OutputDetails(msgspec.Struct, kw_only=True):
    """Details of the output's tokens."""

    reasoning_tokens: Count = 0


class ResponseUsage(msgspec.Struct, kw_only=True):
    """Tokens, as the upstream counted them, or `estimated`."""

    input_tokens: Count
    input_tokens_details: InputDetails = msgspec.field(default_factory=InputDetails)
    output_tokens: Count
    output_tokens_details: OutputDetails = msgspec.field(default_factory=OutputDetails)
    total_tokens: Count
    estimated: Estimated | UnsetType = UNSET


class ResponseObject(msgspec.Struct, kw_only=True):
    """A response, as far as it has come. The fields of the request that come back are in it."""

    id: Annotated[str, Meta(description="`resp_` and the answer's id.")]
    object: Literal["response"] = "response"
    created_at: Count
    status: Status
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: None = None
    model: ModelName
    output: list[OutputMessage]
    parallel_tool_calls: Literal[False] = False
    previous_response_id: str | None = None
    reasoning: Reasoning = msgspec.field(default_factory=Reasoning)
    store: bool = True
    temperature: None = None
    text: TextOptions = msgspec.field(default_factory=TextOptions)
    tool_choice: Literal["auto"] = "auto"
    tools: Empty = []
    top_p: None = None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None = None
    metadata: dict[str, Any] = {}
    user: str | UnsetType = UNSET
    conversation: (
        Annotated[
            dict[str, Any], Meta(extra_json_schema={"properties": {"id": {"type": "string"}}, "required": ["id"]})
        ]
        | UnsetType
    ) = UNSET


class ResponseBody:
    """Builds the body of one response. `echo` contains the fields of the request that come back."""

    def __init__(self, question: SubmittedQuestion, echo: Mapping[str, Any] | None = None) -> None:
        self._question = question
        self._echo = echo or {}
        self.item_id = f"msg_{question.answer}"

    def build_item(self, answer: AnswerAssembler, text: str, status: ItemStatus) -> OutputMessage:
        """Return the message of the response."""
        content = [] if status == "in_progress" else [self.build_part(text, answer.locate_citations(text))]
        return OutputMessage(id=self.item_id, status=status, content=content)

    def build_part(self, text: str, citations: Sequence[Citation]) -> OutputText:
        """Return the only part of the message."""
        return OutputText(text=text, annotations=build_annotations(citations))

    def build_empty(self, status: Status) -> ResponseObject:
        """Return the response without a text."""
        return self._build(status, [])

    def build_failed(self, fault: Fault) -> ResponseObject:
        """Return the response of an answer that failed."""
        reason = fault.code or fault.type
        error = ResponseError(code=fault.response_code, message=fault.message, reason=reason)
        return self._build("failed", [], error=error)

    def build_whole(self, answer: AnswerAssembler, text: str, *, stopped: bool = False) -> ResponseObject:
        """Return the response of an answer that has ended."""
        reason = _INCOMPLETE.get(answer.finish)
        status: Status = "cancelled" if stopped else "incomplete" if reason else "completed"
        item = self.build_item(answer, text, "completed" if status == "completed" else "incomplete")
        return self._build(
            status,
            [item],
            incomplete_details=IncompleteDetails(reason=reason) if reason else None,
            usage=_usage(count_tokens(answer.usage, self._question.about, text)),
        )

    def _build(self, status: Status, output: list[OutputMessage], **fields: Any) -> ResponseObject:
        about = self._question.about
        known = {
            "instructions": about.instructions or None,
            "model": about.model or model_name(about.style),
            **self._echo,
            **fields,
        }
        return ResponseObject(
            id=f"resp_{self._question.answer}",
            created_at=self._question.accepted,
            status=status,
            output=output,
            **known,
        )


def build_annotations(citations: Sequence[Citation]) -> list[TextCitation]:
    """Return the citations of a text."""
    return [
        TextCitation(
            start_index=citation.start,
            end_index=citation.end,
            url=citation.source.url,
            title=citation.source.title,
        )
        for citation in citations
    ]


def _usage(tokens: TokenCounts) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=tokens.prompt,
        output_tokens=tokens.completion,
        total_tokens=tokens.total,
        estimated=tokens.mark,
    )
