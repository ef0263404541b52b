"""The JSON of the drop-in endpoints: key order and separators are part of the contract."""

import json
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.answering.parts import ShownCall, UsedTokens, called_tools, joined_text, used_tokens
from gateway.errors import failure_of
from gateway.http.pictures import public_addresses
from gateway.http.responses import Count
from wire.answers import AnswerState, Progress
from wire.messages import Failed, Final, Source, TurnCount
from wire.reasons import Reason

_encode = json.JSONEncoder(ensure_ascii=False).encode


class AnswerError(msgspec.Struct):
    """How an answer failed; `retry_after` is in seconds."""

    code: int
    message: str
    reason: str
    retry_after: Count | None


class AnswerProgress(msgspec.Struct, kw_only=True):
    """How far an answer has come. What only its end brings is empty until then."""

    answer: Annotated[str, Meta(description="The answer's id.")]
    token: Annotated[str, Meta(description="Send it with the next question to continue the conversation.")]
    state: AnswerState
    position: Annotated[
        Count | None, Meta(description="While it is queued: 1 is the next one, 0 one that waits for an account.")
    ]
    wait: Annotated[Count | None, Meta(description="While it is queued: an estimate, in seconds.")]
    seq: Annotated[Count, Meta(description="The number of its last event.")]
    text: Annotated[str, Meta(description="The text so far.")]
    urls: Sequence[Source]
    images: Annotated[Sequence[str], Meta(description="The addresses of pictures, for an image request.")]
    suggestions: Annotated[Sequence[str], Meta(description="What the user may want to ask next.")]
    turns: Annotated[TurnCount | None, Meta(description="The upstream conversation's turns, where they are known.")]
    reset: Annotated[
        bool,
        Meta(
            description="The conversation was not continued: this answer comes from a new one, or the next answer will."
        ),
    ]
    error: AnswerError | None
    provider: Annotated[str | None, Meta(description="Who answers, once it is known.")]
    model: Annotated[str | None, Meta(description="The model that answers, where it has a name.")]
    reasoning: Annotated[str, Meta(description="The reasoning so far.")]
    refusal: Annotated[str, Meta(description="Why the model declined.")]
    tool_calls: Annotated[Sequence[ShownCall], Meta(description="The calls of tools so far.")]
    usage: Annotated[UsedTokens | None, Meta(description="Tokens, where the upstream counts them.")]


def encode_text(text: str) -> bytes:
    """Return a JSON string."""
    return _bytes(_encode(text))


def encode_answer(
    text: str, urls: Sequence[Source], *, reset: bool, done: bool | None = None, token: str | None
) -> bytes:
    """Return an answer. `done` is None when not streaming; `token` is None for a client that never got one."""
    data: dict[str, object] = {"answer": text, "urls": [{"title": url.title, "url": url.url} for url in urls]}
    if done is not None:
        data["done"] = done
    data["reset"] = reset
    if token is not None:
        data["token"] = token
    return _encode_success(data)


def require_content(event: Final | Failed) -> Final | Failed:
    """Return the end of an answer for an endpoint that has no word for a limit of tokens: cut to nothing, it failed."""
    if isinstance(event, Failed) or event.text or event.blocks or event.stopped or event.finish != "length":
        return event
    return Failed(Reason.ANSWER_EMPTY, reset=event.reset, provider=event.provider)


def require_text(event: Final | Failed) -> Final | Failed:
    """Return the end of an answer for an endpoint that has nothing but text: one that has none has failed."""
    event = require_content(event)
    if isinstance(event, Failed) or event.text or not event.blocks:
        return event
    refused = any(block.kind == "refusal" for block in event.blocks)
    reason = Reason.QUESTION_REFUSED if refused else Reason.ANSWER_TEXTLESS
    return Failed(reason, reset=event.reset, provider=event.provider)


def encode_final(event: Final, token: str | None, *, streaming: bool) -> bytes:
    """Return a whole answer. A stopped one is a success."""
    return encode_answer(event.text, event.urls, done=True if streaming else None, reset=event.reset, token=token)


def encode_images(addresses: Sequence[str]) -> bytes:
    """Return the pictures of an image request."""
    return _encode_success(list(addresses))


def encode_progress(answer: str, progress: Progress, *, english: bool, origin: str = "") -> bytes:
    """Return the state of an answer. What only its end brings is empty until then.

    `origin` begins the addresses of pictures that are kept here.
    """
    end, place = progress.end, progress.position
    final = end if isinstance(end, Final) else Final(progress.text)
    failed = end if isinstance(end, Failed) else None
    body = AnswerProgress(
        answer=answer,
        token=progress.token,
        state=progress.state,
        position=None if place is None else place.position,
        wait=None if place is None else place.wait,
        seq=progress.seq,
        text=progress.text,
        urls=final.urls,
        images=public_addresses(origin, final.images),
        suggestions=final.suggestions,
        turns=final.turns,
        reset=final.reset or (failed is not None and failed.reset),
        error=None if failed is None else _error(failed, english),
        provider=progress.provider or None,
        model=progress.model or None,
        reasoning=joined_text(progress.blocks, "reasoning"),
        refusal=joined_text(progress.blocks, "refusal"),
        tool_calls=called_tools(progress.blocks),
        usage=used_tokens(final.usage),
    )
    return _encode_success(msgspec.to_builtins(body))


def _error(failed: Failed, english: bool) -> AnswerError:
    problem = failure_of(failed, english)
    return AnswerError(problem.code, problem.message, failed.reason, failed.retry_after)


def _encode_success(data: object) -> bytes:
    return _bytes(_encode({"code": 200, "message": "success", "data": data}))


def _bytes(text: str) -> bytes:
    # Nothing that holds half a surrogate pair gets this far; if it did, it must not break the stream.
    return text.encode("utf-8", "replace")
