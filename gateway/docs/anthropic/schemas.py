"""The schemas of the Anthropic API, as far as the gateway supports it."""

from gateway.anthropic.endpoints import TokenCount
from gateway.anthropic.errors import MessagesError
from gateway.anthropic.growing_content import ContentBlockDelta, ContentBlockStart, ContentBlockStop
from gateway.anthropic.message_body import CONTENTS, MessageObject, ServerContent
from gateway.anthropic.message_events import MessageDelta, MessageStart, MessageStop, StreamPing
from gateway.anthropic.models import ModelInfo, ModelPage
from gateway.anthropic.request_fields import BLOCKS, BlockMessage, CountedFields, MessageRequestFields
from gateway.anthropic.tools import ClientTool, ServerTool
from gateway.docs.json_schema import Node, ref, reply_schemas, request_schemas
from gateway.docs.schemas import stream_event

_EVENTS = (
    MessageStart,
    ContentBlockStart,
    ContentBlockDelta,
    ContentBlockStop,
    MessageDelta,
    MessageStop,
    StreamPing,
)


def schemas() -> dict[str, Node]:
    """Return all of them, by name."""
    events = [*(event.__name__ for event in _EVENTS), "MessagesError"]
    replies = reply_schemas(MessagesError, MessageObject, ModelInfo, ModelPage, TokenCount, *CONTENTS, *_EVENTS)
    del replies[ServerContent.__name__]["additionalProperties"]
    return {
        **request_schemas(
            *BLOCKS,
            ClientTool,
            ServerTool,
            BlockMessage,
            MessageRequest=MessageRequestFields,
            CountedRequest=CountedFields,
        ),
        **replies,
        "MessageEventData": {
            "description": "An event. The blocks come strictly one after the other; the last event is `message_stop`, "
            "or `error` if the answer failed or was cut.",
            "oneOf": [ref(name) for name in events],
        },
        "MessageEvent": stream_event(
            ref("MessageEventData"), "One server-sent event, named by the `type` of its data.", named=True
        ),
    }
