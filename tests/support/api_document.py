"""Real answers and frames, held against a document that says how they look."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from jsonschema import Draft202012Validator

# What every server sends; the document describes only ours.
TRANSPORT = re.compile(
    r"date|server|connection|allow|cache-control|content-.*|transfer-encoding|access-control-.*|x-accel-buffering"
    r"|vary|www-authenticate|x-content-type-options|referrer-policy"
)


class Document:
    """An OpenAPI or AsyncAPI document."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        # (method, path, status, type of content) of every answer that was held against it.
        self.checked: set[tuple[str, str, str, str]] = set()

    def resolved(self, node: Any) -> Any:
        """What a `$ref` leads to; anything else is itself."""
        while "$ref" in node:
            target: Any = self.content
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def check(self, shape: Any, value: Any) -> None:
        """AssertionError unless `value` has the shape."""
        problems = list(Draft202012Validator({**shape, "components": self.content["components"]}).iter_errors(value))
        assert not problems, f"{problems[0].message} at {problems[0].json_path} of {value}"

    def response(self, method: str, path: str, response: httpx.Response) -> None:
        """AssertionError unless an operation's response is one that is documented, in every part."""
        status, kind = str(response.status_code), response.headers.get("content-type", "").split(";")[0]
        responses = self.content["paths"][path][method]["responses"]
        assert status in responses, f"{method} {path}: {status} is not documented"
        documented = self.resolved(responses[status])
        named = {name.lower() for name in documented.get("headers", {})}
        ours = {name for name in response.headers if not TRANSPORT.fullmatch(name)}
        assert ours <= named, f"{method} {path} {status}: {ours - named} are not documented"
        content = documented.get("content", {})
        assert (kind in content) if response.content else not content, f"{method} {path} {status}: {kind!r}"
        if kind == "text/event-stream":
            for event in events(response.text):
                self.event(content[kind]["schema"], event)
        elif kind == "application/json":
            self.check(content[kind]["schema"], response.json())
        self.checked.add((method, path, status, kind))

    def event(self, shape: Any, event: Mapping[str, Any]) -> None:
        """AssertionError unless a server-sent event, and the JSON in it, are as documented."""
        self.check(shape, event)
        data = self.resolved(shape)["properties"]["data"]
        forms = data.get("anyOf", [data])
        if {"const": event["data"]} not in forms:
            self.check(forms[-1]["contentSchema"], json.loads(event["data"]))


def events(stream: str) -> Iterator[dict[str, Any]]:
    """The events of a stream that hold data; their fields by name."""
    assert stream.endswith("\n\n"), "a stream ends with a whole event"
    for block in stream[:-2].split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        fields: dict[str, Any] = {name: int(value) if name == "retry" else value for name, _, value in lines}
        if "data" in fields:
            yield {"event": "message"} | fields
