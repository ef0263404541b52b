"""The parameters that requests have, and the headers of responses."""

from gateway.docs.json_schema import ANSWER, COUNT, STRING, TOKEN, Node, enum
from gateway.http.fields import MAX_WAIT

# A name that a client chooses.
_NAME: Node = {"type": "string", "minLength": 16, "maxLength": 255}
_PARAMETERS: list[Node] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes it safe to send the request again: it is asked once, and each repeat gets the same "
        "answer. 16 to 255 characters; with an API key fewer will do.",
        "schema": _NAME,
        "example": "5b1c8a52-6f0e-4d5c-8a52-2b1c8a526f0e",
    },
    {
        "name": "idempotency_key",
        "in": "query",
        "description": "The same for a client that can't set headers.",
        "schema": _NAME,
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N`: rather wait up to N seconds "
        f"({MAX_WAIT:.0f} at most) for an account's return than be refused.",
        "schema": STRING,
        "example": "wait=60",
    },
    {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Names the request in every log. Letters, digits and `_.:-`, 64 at most; another is replaced.",
        "schema": STRING,
        "example": "my-request-1",
    },
    {
        "name": "traceparent",
        "in": "header",
        "description": "The trace that the request belongs to (W3C Trace Context): it goes along, into logs and spans.",
        "schema": STRING,
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    },
    {
        "name": "X-Conversation-ID",
        "in": "header",
        "description": "The conversation that the question belongs to, by a name of the client's own; begins it if it "
        "isn't there. 16 to 255 characters; with an API key fewer will do.",
        "schema": _NAME,
        "example": "support-case-20240102",
    },
    {
        "name": "X-Session-ID",
        "in": "header",
        "description": "The session that the question belongs to: questions with the same one go to the same account, "
        "where that is possible. It goes before `prompt_cache_key`.",
        "schema": STRING,
        "example": "agent-20240102",
    },
    {
        "name": "OpenAI-Beta",
        "in": "header",
        "description": "Goes to the model's server as it is.",
        "schema": STRING,
        "example": "assistants=v2",
    },
    {
        "name": "anthropic-version",
        "in": "header",
        "description": "The version of the Anthropic API: any. With it other paths have that API's shapes too.",
        "schema": STRING,
        "example": "2023-06-01",
    },
    {
        "name": "anthropic-beta",
        "in": "header",
        "description": "Goes to a server of the Anthropic API as it is.",
        "schema": STRING,
        "example": "context-management-2025-06-27",
    },
    {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The `id` of the last event that the client has: the stream continues after it, at any gateway.",
        "schema": STRING,
        "example": f"{ANSWER}.3",
    },
    {
        "name": "Accept",
        "in": "header",
        "description": "With `text/event-stream` the stream has ids, a `retry:` and signs of life, and can be resumed.",
        "schema": enum("*/*", "text/event-stream"),
    },
    {
        "name": "Accept-Language",
        "in": "header",
        "description": "`en` gets the messages of codes 401 to 429 in English.",
        "schema": STRING,
        "example": "en",
    },
]
_RESPONSE_HEADERS: dict[str, Node] = {
    "X-Request-ID": {"description": "The request's id, the client's own if it sent a sound one.", "schema": STRING},
    "Request-ID": {"description": "As X-Request-ID, by its name in the Anthropic API.", "schema": STRING},
    "X-Answer-ID": {"description": "The answer's id, for /answers/{answer}.", "schema": STRING, "example": ANSWER},
    "X-Provider": {
        "description": "Who answered, where it is known before the first byte.",
        "schema": STRING,
        "example": "edgegpt",
    },
    "X-Ignored-Parameters": {
        "description": "The parameters of the request that its model can't take, with commas between them.",
        "schema": STRING,
        "example": "temperature, seed",
    },
    "Retry-After": {"description": "When to come back, in seconds.", "schema": COUNT, "example": 5},
    "x-should-retry": {
        "description": "Whether the SDKs should send the request again by themselves.",
        "schema": enum("true", "false"),
    },
}
# The parameters of a request with a question.
QUESTION_HEADERS = ["Idempotency-Key", "idempotency_key", "Prefer", "X-Request-ID", "traceparent"]
PROMPT_HEADERS = ["X-Session-ID", "OpenAI-Beta"]
# The headers of the response to an accepted question.
ANSWER_HEADERS = ["X-Request-ID", "X-Answer-ID", "X-Provider"]


def parameters() -> dict[str, Node]:
    """Return the parameters by name."""
    return {found["name"]: found for found in _PARAMETERS}


def response_headers() -> dict[str, Node]:
    """Return the headers by name."""
    return _RESPONSE_HEADERS


def parameter_refs(*names: str) -> list[Node]:
    """Return references to parameters of a request."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def header_refs(*names: str) -> Node:
    """Return references to headers of a response."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def query_parameter(name: str, schema: Node, description: str, *, required: bool = False) -> Node:
    """Return a parameter in the query."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def path_parameter(name: str, description: str, example: str) -> Node:
    """Return a part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": STRING,
        "example": example,
    }


TOKEN_FIELD: Node = {
    "type": "string",
    "description": "The `token` of the last answer, to continue its conversation.",
    "examples": [TOKEN],
}
