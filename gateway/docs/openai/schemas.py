"""The schemas of the OpenAI API, as far as the gateway supports it."""

from typing import get_args

from gateway.docs.json_schema import Node, enum, ref, reply_schemas, request_schemas
from gateway.docs.openai.error_responses import TYPES
from gateway.docs.schemas import stream_event
from gateway.openai.chunks import AnswerCall, ChoiceMessage, Chunk, ChunkDelta, CompletionObject
from gateway.openai.embeddings import EmbeddingFields, EmbeddingList
from gateway.openai.errors import ApiError
from gateway.openai.images import ImageList
from gateway.openai.messages import CONTENTS, MessageFields
from gateway.openai.models import Model, ModelListObject
from gateway.openai.options import FORMATS, ChatOptionFields, FlatSchemaFormat
from gateway.openai.request_fields import CompletionFields, ImageFields, OptionFields, ResponseFields
from gateway.openai.responses.body import ResponseObject
from gateway.openai.responses.endpoints import DeletedResponse
from gateway.openai.responses.events import ResponseEvent
from gateway.openai.responses.input_item_list import InputItemList
from gateway.openai.responses.item_fields import INPUT_ITEMS, INPUT_PARTS
from gateway.openai.responses.output_items import CONTENT_PARTS, OUTPUT_ITEMS, OutputCustomCall, OutputFunctionCall
from gateway.openai.responses.tools import FLAT_CHOICES, FLAT_PARTS, FLAT_TOOLS
from gateway.openai.text_chunks import TextCompletionObject
from gateway.openai.text_completions import TextCompletionFields
from gateway.openai.tools import CHOICES, TOOLS, FunctionFields, ToolReference

_EVENTS = get_args(ResponseEvent)
# The replies in which a server's own fields may be.
_OPEN_ENDED = (CompletionObject, ChoiceMessage, AnswerCall, Chunk, ChunkDelta, OutputFunctionCall, OutputCustomCall)


def schemas() -> dict[str, Node]:
    """Return all of them, by name."""
    return {
        **_requests(),
        **_replies(),
        "ChunkEvent": stream_event(
            {"oneOf": [ref("Chunk"), ref("ApiError")]},
            "One server-sent event. Its data is a chunk; the last one's is `[DONE]`. An answer that breaks off "
            "ends with an error instead.",
            last="[DONE]",
        ),
        "TextChunkEvent": stream_event(
            {"oneOf": [ref("TextCompletionObject"), ref("ApiError")]},
            "One server-sent event, as of a chat completion.",
            last="[DONE]",
        ),
        "InputItem": {
            "description": "An item of a response's input. One of our own responses can be sent back as it came.",
            "anyOf": [ref(item.__name__) for item in INPUT_ITEMS],
        },
        "ResponseEventData": {
            "description": "An event. The stream of an answer that fails ends with `response.failed`, and one that "
            "its gateway can't continue with `error`.",
            "oneOf": [ref(event.__name__) for event in _EVENTS],
        },
        "ResponseEvent": stream_event(
            ref("ResponseEventData"), "One server-sent event, named by the `type` of its data.", named=True
        ),
    }


def _replies() -> dict[str, Node]:
    schemas = reply_schemas(
        ApiError,
        Model,
        ModelListObject,
        ImageList,
        CompletionObject,
        Chunk,
        TextCompletionObject,
        EmbeddingList,
        ResponseObject,
        DeletedResponse,
        InputItemList,
        *OUTPUT_ITEMS,
        *CONTENT_PARTS,
        *_EVENTS,
    )
    for open_ended in _OPEN_ENDED:
        del schemas[open_ended.__name__]["additionalProperties"]
    schemas["ErrorDetails"]["properties"]["type"] |= enum(*TYPES)
    return schemas


def _requests() -> dict[str, Node]:
    schemas = request_schemas(
        OptionFields,
        ChatOptionFields,
        *dict.fromkeys((*INPUT_ITEMS, *INPUT_PARTS, *CONTENTS)),
        *TOOLS,
        *CHOICES,
        *FORMATS,
        FlatSchemaFormat,
        *FLAT_TOOLS[:2],
        *FLAT_CHOICES,
        *FLAT_PARTS,
        FunctionFields,
        ToolReference,
        CompletionRequest=CompletionFields,
        TextCompletionRequest=TextCompletionFields,
        EmbeddingRequest=EmbeddingFields,
        ResponseRequest=ResponseFields,
        ImageRequest=ImageFields,
        Message=MessageFields,
    )
    options = schemas.pop("OptionFields")["properties"]
    response = schemas["ResponseRequest"]
    response["properties"] = options | response["properties"]
    ours = {name: options[name] for name in ("metadata", "user")}
    schemas["CompletionRequest"]["properties"] |= schemas.pop("ChatOptionFields")["properties"] | ours
    # Items have patterns for their types, which no union of Structs can express.
    items = next(part for part in schemas["ResponseRequest"]["properties"]["input"]["anyOf"] if part["type"] == "array")
    items["items"] = ref("InputItem")
    return schemas
