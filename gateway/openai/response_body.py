"""The shape of a response of /v1/responses."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.openai.errors import Fault
from gateway.openai.models import model_of
from gateway.openai.service import SubmittedQuestion
from gateway.openai.sources import Citation
from gateway.openai.text_assembler import TextAssembler
from gateway.openai.usage import Tokens, tokens

# Why a response is not whole, by how its answer ended.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseBody:
    """One response, as it comes to be. `echo` holds fields of the request that come back."""

    def __init__(self, question: SubmittedQuestion, echo: Mapping[str, Any] | None = None) -> None:
        self._question = question
        self._echo = echo or {}
        self.item_id = f"msg_{question.answer}"

    def item(self, writing: TextAssembler, text: str, status: str) -> dict[str, Any]:
        """The message that the response consists of."""
        content = [] if status == "in_progress" else [self.part(text, writing.citations(text))]
        return {"id": self.item_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def part(self, text: str, cited: Sequence[Citation]) -> dict[str, Any]:
        """The message's one part."""
        return {"type": "output_text", "text": text, "annotations": annotations(cited), "logprobs": []}

    def waiting(self, status: str) -> dict[str, Any]:
        """A response that has no text yet, or none that is told."""
        return self._response(status, [])

    def failed(self, fault: Fault) -> dict[str, Any]:
        """A response that failed."""
        error = {"code": fault.code or fault.type, "message": fault.message}
        return self._response("failed", [], error=error)

    def ended(self, writing: TextAssembler, text: str, *, stopped: bool = False) -> dict[str, Any]:
        """A whole response, or as much as there is of it."""
        reason = _INCOMPLETE.get(writing.finish)
        status = "cancelled" if stopped else "incomplete" if reason else "completed"
        item = self.item(writing, text, "completed" if status == "completed" else "incomplete")
        used = tokens(writing.usage, self._question.work, text)
        return self._response(
            status, [item], incomplete_details={"reason": reason} if reason else None, usage=_usage(used)
        )

    def _response(self, status: str, output: list[Any], **rest: Any) -> dict[str, Any]:
        work = self._question.work
        return {
            "id": f"resp_{self._question.answer}",
            "object": "response",
            "created_at": self._question.accepted,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": work.instructions or None,
            "max_output_tokens": None,
            "model": model_of(work.style),
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": True,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
            "metadata": {},
            **self._echo,
            **rest,
        }


def annotations(cited: Sequence[Citation]) -> list[dict[str, Any]]:
    """The citations of a text."""
    return [
        {
            "type": "url_citation",
            "start_index": one.start,
            "end_index": one.end,
            "url": one.source.url,
            "title": one.source.title,
        }
        for one in cited
    ]


def _usage(found: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": found.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": found.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": found.total,
        **found.mark,
    }
