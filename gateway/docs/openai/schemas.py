"""The shapes of the OpenAI API, as far as this gateway speaks it."""

from gateway.docs.json_schema import COUNT, STRING, Node, array_of, const, described, enum, nullable, object_of, ref
from gateway.docs.openai.completions import completion_schemas
from gateway.docs.openai.error_responses import TYPES
from gateway.docs.openai.requests import MODEL, request_schemas
from gateway.docs.openai.responses import response_schemas


def schemas() -> dict[str, Node]:
    """All of them, by name."""
    error = {
        "message": STRING,
        "type": enum(*TYPES),
        "param": described(nullable(STRING), "The field that is at fault."),
        "code": described(nullable(STRING), "What went wrong; the gateway's own reasons, such as `queue.full`, too."),
    }
    model = {"id": MODEL, "object": const("model"), "created": COUNT, "owned_by": const("bing")}
    return {
        "ApiError": object_of({"error": object_of(error)}, description="An error under /v1."),
        "Model": object_of(model),
        "Models": object_of({"object": const("list"), "data": array_of(ref("Model"))}),
        "Images": object_of({"created": COUNT, "data": array_of(object_of({"url": STRING}))}),
        **request_schemas(),
        **completion_schemas(),
        **response_schemas(),
    }
