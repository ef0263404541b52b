"""The OpenAPI document keeps up with the code: routes, parameters, errors."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from gateway import docs, errors, page
from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.auth.clients import Clients
from gateway.console import files as console_files
from gateway.docs import console, openapi
from gateway.docs.openai import error_responses
from gateway.openai.request_fields import CompletionFields, ImageFields, ResponseFields, accepted_values
from gateway.openai.validation import WITHOUT_EFFECT
from gateway.settings import GatewaySettings
from tests.support.api_document import Document
from tests.support.gateway.console_client import admin_keys
from wire.reasons import Reason
from wire.redis.store import Store

ROOT = Path(__file__).parents[3]
FOUND = openapi.document()
DOCUMENT = Document(FOUND)
# What is for people.
DOCUMENTS = {"/openapi.json", "/asyncapi.json"}
ROUTES = [*page.routes(Clients()), *docs.routes(has_console=True), *console_files.routes()]
PAGES = {route.path for route in ROUTES} - DOCUMENTS
# Rooms whose requests the document leaves out.
OTHERS = {"docs", "console", "page"}
# Headers of HTTP itself, of browsers and proxies.
OF_HTTP = {
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "access-control-request-method",
    "host",
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-purpose",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-attempt-id",
}


def sources(pattern: str, *paths: str) -> set[str]:
    """What a pattern finds in the gateway's sources."""
    text = "".join(
        path.read_text()
        for glob in paths
        for path in (ROOT / "gateway").glob(glob)
        if not OTHERS & set(path.relative_to(ROOT).parts)
    )
    return set(re.findall(pattern, text))


def operations() -> Iterator[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
    """(method, path, operation, its parameters) of each."""
    for path, item in FOUND["paths"].items():
        for method in item.keys() - {"parameters"}:
            both = [*item.get("parameters", []), *item[method].get("parameters", [])]
            yield method, path, item[method], [DOCUMENT.resolved(parameter) for parameter in both]


def test_the_document_has_every_route_and_method_and_no_other(tmp_path: Path) -> None:
    config = GatewaySettings(admin_keys_file=admin_keys(tmp_path))
    app = create_app(config, Store("memory://"), ActiveRequests())
    routed = {
        (method.lower(), route.path.replace(":path}", "}"))
        for route in app.routes
        if isinstance(route, Route) and route.path not in PAGES
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _, _ in operations()} == routed


def test_every_part_of_a_path_is_a_parameter() -> None:
    for _, path, _, parameters in operations():
        named = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_every_header_that_is_read_is_documented_and_no_other() -> None:
    read = sources(r'headers\.get(?:list)?\(\s*"([\w-]+)"', "**/*.py")
    documented = {
        parameter["name"].lower()
        for _, _, _, parameters in operations()
        for parameter in parameters
        if parameter["in"] == "header"
    }
    assert len(read) > 8
    schemes = FOUND["components"]["securitySchemes"].values()
    keys = {scheme["name"].lower() for scheme in schemes if scheme.get("in") == "header"}
    assert documented | keys == read - OF_HTTP


def test_every_query_parameter_that_is_read_is_documented() -> None:
    read = sources(r'query_params\.get\(\s*"(\w+)"', "**/*.py")
    read |= sources(r'query_string"\]\)\.get\(\s*"(\w+)"', "**/*.py")
    read |= sources(r'fields\.get\("(\w+)"', "legacy/params.py")
    assert len(read) > 7
    documented = {parameter["name"] for _, _, _, parameters in operations() for parameter in parameters}
    assert read <= documented | {"api_key"}


def test_every_field_that_v1_reads_is_documented() -> None:
    read = sources(
        r'fields(?:\.get\(|, )"(\w+)"', "openai/requests.py", "openai/validation.py", "openai/completions.py"
    )
    for struct in (CompletionFields, ResponseFields, ImageFields):
        read |= set(accepted_values(struct))
    assert len(read) > 15
    requests = ("CompletionRequest", "ResponseRequest", "ImageRequest")
    documented = {name for request in requests for name in FOUND["components"]["schemas"][request]["properties"]}
    assert read | set(WITHOUT_EFFECT) <= documented


def test_every_error_has_its_status() -> None:
    responses = set(FOUND["components"]["responses"])
    own = {spec.status for spec in errors.ERRORS.values()} - {200, 400, 405}
    assert {f"Error{status}" for status in own} == {name for name in responses if name.startswith("Error")}
    statuses = {fault.status for fault in error_responses.FAULTS}
    assert {f"Fault{status}" for status in statuses} == {name for name in responses if name.startswith("Fault")}


def test_every_kind_of_error_under_v1_is_among_those_that_are_reported() -> None:
    never = {*errors.EXPORT_REASONS, Reason.REQUEST_METHOD, Reason.REQUEST_RATE, Reason.SOCKET_LIMIT}
    codes = {fault.code for fault in error_responses.FAULTS}
    assert {spec.openai.code for reason, spec in errors.ERRORS.items() if reason not in never} <= codes


def test_every_code_that_a_body_can_hold_is_documented() -> None:
    own = {reason: errors.problem_for(reason).code for reason in Reason if reason not in errors.EXPORT_REASONS}
    codes = FOUND["components"]["schemas"]["Error"]["properties"]["code"]["enum"]
    # Of a failed answer that cost nothing and that isn't in the table by a code of its own.
    assert {*own.values(), 503} == set(codes)


def test_what_may_need_a_key_may_be_refused_without_one() -> None:
    for method, path, operation, _ in operations():
        is_open = operation.get("security") == []
        assert is_open != ("401" in operation["responses"]), f"{method} {path}"


def test_an_admin_key_is_for_the_console_alone_and_an_api_key_never_is() -> None:
    assert {console.SCHEME: []} not in FOUND["security"]
    for _, path, operation, _ in operations():
        assert (operation.get("security") == [{console.SCHEME: []}]) == path.startswith("/console")


def contents(node: Any) -> Iterator[dict[str, Any]]:
    """Everything in a part of the document that has a shape and may have examples."""
    if isinstance(node, dict):
        if "schema" in node:
            yield node
        for below in node.values():
            yield from contents(below)
    elif isinstance(node, list):
        for below in node:
            yield from contents(below)


def test_every_example_has_the_shape_that_it_is_an_example_of() -> None:
    checked = 0
    for media in contents(FOUND):
        values = [example["value"] for example in media.get("examples", {}).values()]
        values += [media["example"]] if "example" in media else []
        for value in values:
            checked += 1
            DOCUMENT.check(media["schema"], value)
            if isinstance(value, dict) and isinstance(value.get("data"), str):
                DOCUMENT.event(media["schema"], value)
    assert checked > 50


def test_every_shape_is_used_and_every_reference_leads_somewhere() -> None:
    named = set(re.findall(r'"#/components/([\w/-]+)"', json.dumps(FOUND)))
    kinds = ("schemas", "parameters", "headers", "responses")
    assert named == {f"{kind}/{name}" for kind in kinds for name in FOUND["components"][kind]}


ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": []}]},
    {"type": "item_reference", "id": "msg_1"},
    {"id": "fc_1"},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "2"}]},
    {"type": "custom_tool_call", "call_id": "c", "name": "sh", "input": "ls"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    {"type": "local_shell_call_output", "output": {"code": 0}},
    {"type": "mcp_approval_response", "approve": True},
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.get("type", "plain"))
def test_the_items_of_an_input_that_are_understood_are_in_the_document(item: dict[str, Any]) -> None:
    DOCUMENT.check({"$ref": "#/components/schemas/ResponseRequest"}, {"model": "bing-balanced", "input": [item]})


@pytest.mark.parametrize("item", [{"type": "something_else"}, {"type": "item_reference"}, {"role": "nobody"}])
def test_an_item_that_is_not_understood_is_not_in_the_document(item: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="is not valid"):
        DOCUMENT.check({"$ref": "#/components/schemas/ResponseRequest"}, {"model": "bing-balanced", "input": [item]})


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_drop_in_endpoints_take_the_same_fields_in_query_and_body(method: str) -> None:
    for path, fields in {"/api": {"style", "question", "token"}, "/image": {"keyword"}}.items():
        operation = FOUND["paths"][path][method]
        if method == "get":
            named = {parameter["name"] for parameter in operation["parameters"] if parameter.get("in") == "query"}
            assert named == fields
        for media in operation.get("requestBody", {}).get("content", {}).values():
            assert set(media["schema"]["properties"]) == fields
