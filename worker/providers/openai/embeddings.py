"""Embeddings from any server that has the OpenAI API with `/embeddings`."""

import array
import base64
import binascii
import json
import math
import sys

import msgspec

from wire.messages import Usage
from wire.reasons import Reason
from wire.result_store import MAX_RESULT
from wire.threads import run_sized
from worker.accounts.account import ServerAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend, CallResult
from worker.providers.content_encoding import RawResponse, decode_body
from worker.providers.openai.call_refusals import excuse_lacking
from worker.providers.openai.client import FailureReasons, ServerClient
from worker.providers.openai.errors import has_error, parse_error
from worker.providers.openai.usage import parse_usage
from worker.providers.sent_mark import SendHook

_REASONS = FailureReasons(silence=Reason.TIMEOUT_IDLE, policy=Reason.QUESTION_REFUSED)
_LARGEST_ERROR = 64 * 1024
_NONE_HERE = "The model's server makes no embeddings with it."
_FLOAT_SIZE = 4
# Fields and objects of a reply: 2,048 texts have three of each. Bytes of what is counted of its tokens.
_MOST_FIELDS = 100_000
# Numbers of one embedding that is turned into the other form, several times as many as any model's: what handles one
# holds the interpreter's lock.
_MOST_NUMBERS = 65_536
_MAX_USAGE = 16 * 1024
# What a refusal may name to the client, which sent it.
_FIELDS = frozenset({"input", "model", "dimensions", "encoding_format"})


class _Item(msgspec.Struct):
    embedding: msgspec.Raw


class _Reply(msgspec.Struct):
    data: list[_Item]
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Options(msgspec.Struct):
    encoding_format: str = "float"


_reply = msgspec.json.Decoder(_Reply)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_floats = msgspec.json.Decoder(list[float])
_text = msgspec.json.Decoder(str)


async def request_embeddings(
    client: ServerClient, server: ServerAccount, model: str, body: bytes, before_send: BeforeSend
) -> CallResult:
    """Send a request as it came, but for the model's name, and return the server's reply. UpstreamError."""
    sent, hook = await run_sized(len(body), _name_model, body, model), SendHook(before_send)
    try:
        async with client.post(server, "/embeddings", sent, hook, _REASONS, sent=_FIELDS) as response:
            content = await _read_body(response)
    except UpstreamError as error:
        excuse_lacking(error, _NONE_HERE)
        raise
    return await run_sized(len(content), parse_embeddings, content, _wants_base64(body), server.key)


def parse_embeddings(content: bytes, in_base64: bool, secret: str = "") -> CallResult:
    """Return a reply whose embeddings are all in base64, or all numbers, whatever the server sent.

    UpstreamError if it has none, or an error in place of them; `secret` is the key, which no words of it contain.
    """
    # Neither numbers nor base64 have them: there are as many as objects and fields.
    if content.count(b":") + content.count(b"{") > _MOST_FIELDS:
        raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "embeddings of very many fields")
    try:
        reply = _reply.decode(content)
        if not reply.data:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "no embeddings")
        if turned := [given for item in reply.data if _is_list(given := bytes(item.embedding)) == in_base64]:
            if max(map(_count_numbers, turned)) > _MOST_NUMBERS:
                raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an embedding of very many numbers")
            content = _convert(content, in_base64)
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise _failure(content, secret) from error
    return CallResult(content, _usage(reply.usage))


def _name_model(body: bytes, model: str) -> bytes:
    fields = _fields.decode(body)
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.json.encode(fields)


def _wants_base64(body: bytes) -> bool:
    return msgspec.json.decode(body, type=_Options).encoding_format == "base64"


async def _read_body(response: RawResponse) -> bytes:
    body = bytearray()
    async for chunk in decode_body(response):
        body += chunk
        if len(body) > MAX_RESULT:
            raise UpstreamError(Reason.RESULT_TOO_LARGE, f"more than {MAX_RESULT} bytes")
    return bytes(body)


def _convert(content: bytes, in_base64: bool) -> bytes:
    """Return a reply with its embeddings in the other form. ValueError if one of them has none."""
    fields = _fields.decode(content)
    items = _items.decode(fields["data"])
    for item in items:
        given = bytes(item["embedding"])
        if _is_list(given) == in_base64:
            item["embedding"] = msgspec.Raw(_to_base64(given) if in_base64 else _to_numbers(given))
    fields["data"] = msgspec.Raw(msgspec.json.encode(items))
    return msgspec.json.encode(fields)


def _is_list(given: bytes) -> bool:
    """Return whether an embedding is numbers, and not in base64. ValueError if it is neither."""
    if given[:1] not in (b"[", b'"'):
        raise ValueError("an embedding that is neither numbers nor a string")
    return given[:1] == b"["


def _to_base64(given: bytes) -> bytes:
    """Return numbers as the API encodes them: 32-bit floats, the lowest byte first."""
    numbers = _in_order(_finite(array.array("f", _floats.decode(given))))
    return msgspec.json.encode(base64.b64encode(numbers.tobytes()).decode())


def _to_numbers(given: bytes) -> bytes:
    try:
        content = base64.b64decode(_text.decode(given), validate=True)
    except binascii.Error as error:
        raise ValueError("an embedding that is not in base64") from error
    numbers = array.array("f")
    numbers.frombytes(content)
    return msgspec.json.encode(_finite(_in_order(numbers)).tolist())


def _count_numbers(given: bytes) -> int:
    """Return about how many numbers an embedding has."""
    return given.count(b",") + 1 if _is_list(given) else len(given) * 3 // 4 // _FLOAT_SIZE


def _finite(numbers: "array.array[float]") -> "array.array[float]":
    """Return numbers of which none is infinite, or not a number: JSON has no such ones, and would have null."""
    if not all(map(math.isfinite, numbers)):
        raise ValueError("an embedding that isn't finite")
    return numbers


def _in_order(numbers: "array.array[float]") -> "array.array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _failure(content: bytes, secret: str) -> UpstreamError:
    """Return the error that a reply without embeddings is."""
    try:
        value = json.loads(content) if len(content) <= _LARGEST_ERROR else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and has_error(value):
        return parse_error(value).to_upstream_error(secret=secret)
    return UpstreamError(Reason.UPSTREAM_PROTOCOL, "no embeddings")


def _usage(given: msgspec.Raw) -> Usage | None:
    """Return the tokens of the input; embeddings have none of an answer."""
    value = msgspec.json.decode(given) if len(bytes(given)) <= _MAX_USAGE else None
    return parse_usage({"usage": {"completion_tokens": 0, **value}}, {}) if isinstance(value, dict) else None
