"""The canonical path of what clients ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from gateway.http.paths import OPENAI_NAMES, canonical_path, is_anthropic, is_openai


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/api", "/api"),
        ("/api/", "/api"),
        ("//api_stream", "/api_stream"),
        ("/answers//s0-a///stream/", "/answers/s0-a/stream"),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("/v1/models/", "/v1/models"),
        ("//v1//models", "/v1/models"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/v1//v1/responses/resp_a/cancel/", "/v1/responses/resp_a/cancel"),
        ("/v1/v1", "/v1"),
        ("/chat/completions", "/v1/chat/completions"),
        ("//chat//completions/", "/v1/chat/completions"),
        ("/responses", "/v1/responses"),
        ("/responses/resp_a", "/v1/responses/resp_a"),
        ("/models", "/v1/models"),
        ("/models/bing-precise", "/v1/models/bing-precise"),
        ("/images/generations", "/v1/images/generations"),
        ("/embeddings", "/v1/embeddings"),
        ("/messages", "/v1/messages"),
        ("//v1/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/image", "/image"),
        ("/v10/models", "/v10/models"),
        ("/v1x", "/v1x"),
        ("/modelsx", "/modelsx"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_a_path_is_found_by_any_of_its_addresses(address: str, path: str) -> None:
    assert canonical_path(address) == path


@given(st.text("/v1chatmodels", max_size=30))
def test_a_canonical_path_is_its_own(path: str) -> None:
    canonical = canonical_path(path)
    assert canonical_path(canonical) == canonical


@given(st.lists(st.sampled_from(["/", "//", "/v1", "/v1/", "//v1"])), st.sampled_from(OPENAI_NAMES), st.text("/"))
def test_whatever_is_in_front_the_openai_api_is_found(front: list[str], name: str, behind: str) -> None:
    assert canonical_path(f"{''.join(front)}/{name}{behind}") == f"/v1/{name}"


@pytest.mark.parametrize(("path", "openai"), [("/v1", True), ("/v1/x", True), ("/v1x", False), ("/api", False)])
def test_the_openai_api_is_below_its_root(path: str, openai: bool) -> None:
    assert is_openai(path) == openai


@pytest.mark.parametrize(
    ("path", "headers", "anthropic"),
    [
        ("/v1/messages", {}, True),
        ("/v1/messages/count_tokens", {}, True),
        ("/v1/messagesx", {}, False),
        ("/v1/models", {}, False),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, True),
        ("/api", {"anthropic-version": "2023-06-01"}, False),
    ],
)
def test_the_anthropic_api_is_known_by_path_or_version(path: str, headers: dict[str, str], anthropic: bool) -> None:
    assert is_anthropic(path, Headers(headers)) == anthropic
