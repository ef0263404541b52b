"""The body of a response of /v1/responses. It is a function of what is kept with the answer, and of its events."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.http.responses import Count
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import Fault
from gateway.openai.models import model_name
from gateway.openai.responses.output_items import OUTPUT_ITEMS, AnyList, ItemStatus, OutputItem, ResponseItems
from gateway.openai.schema_marks import list_of
from gateway.openai.service import SubmittedQuestion
from gateway.openai.usage import Estimated, count_tokens
from wire.blocks import Block

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
IncompleteReason = Literal["max_output_tokens", "content_filter"]
# The reason of an incomplete response, by how its answer ended.
_INCOMPLETE: Mapping[str, IncompleteReason] = {"length": "max_output_tokens", "content_filter": "content_filter"}
# The fields of a request that have more fields inside, with those that always come back.
_REASONING = {"effort": None, "summary": None}
_TEXT = {"format": {"type": "text"}}


class ResponseError(msgspec.Struct, kw_only=True):
    """The reason why a response failed. The code is one that clients don't repeat, unless they may."""

    code: str
    message: str
    reason: Annotated[str, Meta(description="The code that the error has elsewhere, such as `interrupted`.")]


class IncompleteDetails(msgspec.Struct, kw_only=True):
    """The reason why a response is incomplete."""

    reason: IncompleteReason


class InputDetails(msgspec.Struct, kw_only=True):
    """Details of the input's tokens."""

    cached_tokens: Count = 0
    cache_write_tokens: Count = 0


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
    """A response, as far as it has come. Fields of the request come back in it as they were sent."""

    id: Annotated[str, Meta(description="`resp_` and the answer's id.")]
    object: Literal["response"] = "response"
    created_at: Count
    status: Status
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | AnyList | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: Annotated[str, Meta(description="The model that answers; before it began, the one that was asked for.")]
    output: Annotated[
        list[Any],
        Meta(description="Empty until the end.", extra_json_schema=dict(list_of(*OUTPUT_ITEMS))),
    ]
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    reasoning: dict[str, Any] = msgspec.field(default_factory=_REASONING.copy)
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool = True
    temperature: float | None = None
    text: dict[str, Any] = msgspec.field(default_factory=_TEXT.copy)
    tool_choice: str | dict[str, Any] = "auto"
    tools: AnyList = []
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str = "disabled"
    usage: ResponseUsage | None = None
    metadata: dict[str, Any] = {}
    user: str | UnsetType = UNSET
    conversation: (
        Annotated[
            dict[str, Any], Meta(extra_json_schema={"properties": {"id": {"type": "string"}}, "required": ["id"]})
        ]
        | UnsetType
    ) = UNSET


# What the answer decides, and no request.
_OWN = ("id", "object", "created_at", "status", "error", "incomplete_details", "model", "output", "usage")
_ECHOED = frozenset(ResponseObject.__struct_fields__) - frozenset(_OWN)


class ResponseBody:
    """Builds the body of one response, in which fields of its request come back."""

    def __init__(self, question: SubmittedQuestion) -> None:
        self._question = question
        self._about = question.about
        self._echo = _complete(self._about.echo)
        if self._about.dialect != "responses":
            self._echo.setdefault("instructions", self._about.instructions or None)
        self.items = ResponseItems(question.answer, self._about)

    @property
    def background(self) -> bool:
        """Whether the client doesn't wait for the response."""
        return self._about.background

    def build_empty(self, status: Status) -> ResponseObject:
        """Return the response without an output."""
        return self._build(status, [])

    def build_failed(self, fault: Fault) -> ResponseObject:
        """Return the response of an answer that failed."""
        reason = fault.code or fault.type
        error = ResponseError(code=fault.response_code, message=fault.message, reason=reason)
        return self._build("failed", [], error=error)

    def build_whole(self, answer: AnswerAssembler, blocks: Sequence[Block], *, stopped: bool = False) -> ResponseObject:
        """Return the response of an answer that has ended with `blocks`: all that was sent, or the answer alone."""
        reason = _INCOMPLETE.get(answer.finish)
        status: Status = "cancelled" if stopped else "incomplete" if reason else "completed"
        return self._build(
            status,
            self._build_output(answer, blocks, "completed" if status == "completed" else "incomplete"),
            answer.model,
            incomplete_details=IncompleteDetails(reason=reason) if reason else None,
            usage=self._count(answer, blocks),
        )

    def _build_output(self, answer: AnswerAssembler, blocks: Sequence[Block], status: ItemStatus) -> list[OutputItem]:
        """Return the items. Only the last one may lack something, unless it is a call; and only it has citations."""
        shown = [(number, block) for number, block in enumerate(blocks) if block.kind != "opaque"]
        items = [self.items.build(number, block) for number, block in shown[:-1]]
        for number, block in shown[-1:]:
            whole: ItemStatus = "completed" if block.kind == "tool_call" else status
            citations = answer.locate_citations(block.text)
            items.append(self.items.build(number, block, status=whole, citations=citations))
        return items

    def _build(self, status: Status, output: list[OutputItem], served_by: str = "", **fields: Any) -> ResponseObject:
        about = self._about
        return ResponseObject(
            id=f"resp_{self._question.answer}",
            created_at=self._question.accepted,
            status=status,
            # A question in text is one for a model of Bing's, whoever answers it.
            model=(served_by or about.model) if about.dialect else model_name(about.style),
            output=output,
            **self._echo,
            **fields,
        )

    def _count(self, answer: AnswerAssembler, blocks: Sequence[Block]) -> ResponseUsage:
        text, counted = "".join(block.name + block.text for block in blocks), answer.usage
        tokens = count_tokens(counted, self._about, text)
        usage = ResponseUsage(
            input_tokens=tokens.prompt,
            output_tokens=tokens.completion,
            total_tokens=tokens.total,
            estimated=tokens.mark,
        )
        if counted is not None:
            usage.input_tokens_details = InputDetails(
                cached_tokens=counted.cached, cache_write_tokens=counted.cache_written
            )
            usage.output_tokens_details = OutputDetails(reasoning_tokens=counted.reasoning)
        return usage


def _complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that come back, with what the API adds inside of them."""
    echo = {name: value for name, value in given.items() if name in _ECHOED and value is not None}
    for name, defaults in (("reasoning", _REASONING), ("text", _TEXT)):
        if isinstance(echo.get(name), Mapping):
            echo[name] = {**defaults, **echo[name]}
    return echo
