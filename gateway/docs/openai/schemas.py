"""The schemas of the OpenAI API, as far as the gateway supports it."""

from typing import get_args

from gateway.docs.json_schema import STRING, Node, described, enum, nullable, object_of, ref, reply_schemas
from gateway.docs.openai.error_responses import TYPES
from gateway.docs.openai.requests import request_schemas
from gateway.docs.schemas import stream_event
from gateway.openai.chunks import Chunk, CompletionObject
from gateway.openai.events import ResponseEvent
from gateway.openai.images import ImageList
from gateway.openai.models import Model, ModelListObject
from gateway.openai.response_body import ResponseObject

_EVENTS = get_args(ResponseEvent)


def schemas() -> dict[str, Node]:
    """Return all of them, by name."""
    error = {
        "message": STRING,
        "type": enum(*TYPES),
        "param": described(nullable(STRING), "The invalid field."),
        "code": described(nullable(STRING), "The reason: one of OpenAI's, or the gateway's own, such as `queue.full`."),
    }
    return {
        "ApiError": object_of({"error": object_of(error)}, description="An error under /v1."),
        **request_schemas(),
        **reply_schemas(Model, ModelListObject, ImageList, CompletionObject, Chunk, ResponseObject, *_EVENTS),
        "ChunkEvent": stream_event(
            {"oneOf": [ref("Chunk"), ref("ApiError")]},
            "One server-sent event. Its data is a chunk; the last one's is `[DONE]`. An answer that breaks off "
            "ends with an error instead.",
        ),
        "ResponseEventData": {
            "description": "An event. A stream that breaks off ends with `error`.",
            "oneOf": [ref(event.__name__) for event in _EVENTS],
        },
        "ResponseEvent": stream_event(
            ref("ResponseEventData"), "One server-sent event, named by the `type` of its data.", named=True
        ),
    }
