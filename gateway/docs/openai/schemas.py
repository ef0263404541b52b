"""The shapes of the OpenAI API, as far as this gateway speaks it."""

from gateway.docs.openai.completions import completions
from gateway.docs.openai.faults import TYPES
from gateway.docs.openai.replies import replies
from gateway.docs.openai.requests import MODEL, requests
from gateway.docs.shapes import COUNT, STRING, Node, many, maybe, one_of, only, record, ref, told


def schemas() -> dict[str, Node]:
    """All of them, by name."""
    error = {
        "message": STRING,
        "type": one_of(*TYPES),
        "param": told(maybe(STRING), "The field that is at fault."),
        "code": told(maybe(STRING), "What went wrong; the gateway's own reasons, such as `queue.full`, too."),
    }
    model = {"id": MODEL, "object": only("model"), "created": COUNT, "owned_by": only("bing")}
    return {
        "ApiError": record({"error": record(error)}, description="An error under /v1."),
        "Model": record(model),
        "Models": record({"object": only("list"), "data": many(ref("Model"))}),
        "Images": record({"created": COUNT, "data": many(record({"url": STRING}))}),
        **requests(),
        **completions(),
        **replies(),
    }
