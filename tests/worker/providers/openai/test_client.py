import pytest

from worker.accounts.account import ServerAccount
from worker.providers.openai.client import bearer_headers, endpoint_url


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("http://host:11434/v1", "http://host:11434/v1/chat/completions"),
        ("http://host:11434/v1/", "http://host:11434/v1/chat/completions"),
        ("https://host", "https://host/chat/completions"),
        (
            "https://me.openai.azure.com/openai/deployments/gpt%204?api-version=2024-10-21",
            "https://me.openai.azure.com/openai/deployments/gpt%204/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://me.openai.azure.com/openai/v1/?api-version=preview",
            "https://me.openai.azure.com/openai/v1/chat/completions?api-version=preview",
        ),
    ],
)
def test_the_path_is_put_behind_the_servers_own_and_before_its_query(base: str, whole: str) -> None:
    assert str(endpoint_url(ServerAccount("a", base, "m"), "/chat/completions")) == whole


@pytest.mark.parametrize(
    ("base", "key", "headers"),
    [
        ("https://api.example/v1", "k", {b"Authorization": b"Bearer k"}),
        ("https://me.openai.azure.com/openai/v1/", "k", {b"Authorization": b"Bearer k", b"api-key": b"k"}),
        ("https://me.azure.com.example/v1", "k", {b"Authorization": b"Bearer k"}),
        ("http://127.0.0.1:11434/v1", "", {}),
    ],
)
def test_the_key_goes_out_as_a_bearer_and_to_azure_in_its_own_header_too(
    base: str, key: str, headers: dict[bytes, bytes]
) -> None:
    assert bearer_headers(ServerAccount("a", base, "m", key)) == headers
