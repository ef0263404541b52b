import re

import aiohttp
import pytest

from emulator.server import Emulator
from tests.support.emulator.bing_client import BingClient

pytestmark = pytest.mark.anyio


async def test_a_conversation_has_ids_of_the_real_shapes_in_the_real_order(client: BingClient) -> None:
    conversation = await client.create()
    assert list(conversation) == ["conversationId", "clientId", "conversationSignature", "result"]
    assert re.fullmatch(r"51D\|BingProd\|[0-9A-F]{64}", conversation["conversationId"])
    assert re.fullmatch(r"\d{15}", conversation["clientId"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", conversation["conversationSignature"])
    assert conversation["result"] == {"value": "Success", "message": None}


async def test_signed_out_clients_get_ids_that_say_so(stranger: BingClient, upstream: Emulator) -> None:
    conversation = await stranger.create()
    assert conversation["conversationId"].startswith("51D|BingProdUnAuthenticatedUsers|")
    assert re.fullmatch(r"[0-9A-F]{32}", conversation["clientId"])
    assert upstream.ledger.creates[0].account == "anonymous"


async def test_the_edge_address_serves_as_well(client: BingClient) -> None:
    async with client.session.get(f"{client.url}/edgesvc/turing/conversation/create?bundleVersion=1.1") as response:
        assert (await response.json())["result"]["value"] == "Success"


@pytest.mark.parametrize(
    ("outcome", "value"),
    [
        ("unauthorized-login", "UnauthorizedRequest"),
        ("not-allowed", "UnauthorizedRequest"),
        ("forbidden", "Forbidden"),
        ("internal", "InternalServerError"),
        ("try-later", "TryLater"),
        ("no-ids", "Success"),
    ],
)
async def test_refusals_hold_only_a_result_and_pass_with_the_script(
    client: BingClient, outcome: str, value: str
) -> None:
    await client.script(account="a1", create={"outcome": outcome})
    refused = await client.create()
    assert list(refused) == ["result"]
    assert refused["result"]["value"] == value
    assert "conversationId" in await client.create()
    entries = (await client.ledger())["creates"]
    assert [entry["outcome"] for entry in entries] == [outcome, "success"]
    assert entries[0]["conversation"] is None


@pytest.mark.parametrize(
    ("outcome", "status", "kind"),
    [
        ("http-403", 403, "text/html"),
        ("http-404", 404, "text/html"),
        ("http-429", 429, "text/html"),
        ("http-500", 500, "text/html"),
        ("html", 200, "text/html"),
        ("bad-json", 200, "application/json"),
        ("empty", 200, "application/octet-stream"),
    ],
)
async def test_answers_that_are_no_conversation(client: BingClient, outcome: str, status: int, kind: str) -> None:
    await client.script(account="*", create={"outcome": outcome})
    async with client.session.get(f"{client.url}/turing/conversation/create") as response:
        assert response.status == status
        assert response.content_type == kind


async def test_a_redirect_loop_never_ends(client: BingClient) -> None:
    await client.script(account="a1", create={"outcome": "redirect-loop"})
    with pytest.raises(aiohttp.TooManyRedirects):
        await client.create()


async def test_a_create_that_never_answers_is_seen_to_be_given_up(client: BingClient, upstream: Emulator) -> None:
    await client.script(account="a1", create={"outcome": "never"})
    with pytest.raises(TimeoutError):
        async with client.session.get(
            f"{client.url}/turing/conversation/create", headers=client.headers, timeout=aiohttp.ClientTimeout(0.1)
        ):
            pass
    assert [entry.outcome for entry in upstream.ledger.creates] in (["running"], ["client gone"])


async def test_a_reset_ends_the_connection(client: BingClient) -> None:
    await client.script(account="a1", create={"outcome": "reset", "times": None})
    with pytest.raises(aiohttp.ClientError):
        await client.create()


async def test_signatures_only_in_headers_need_the_access_token_at_the_socket(client: BingClient) -> None:
    await client.script(account="a1", create={"outcome": "header-only"})
    url = f"{client.url}/turing/conversation/create"
    async with client.session.get(url, headers=client.headers) as response:
        conversation = await response.json()
        token = response.headers["X-Sydney-EncryptedConversationSignature"]
        signature = response.headers["X-Sydney-ConversationSignature"]
    assert "conversationSignature" not in conversation
    without = await client.ask(conversation, "hello", conversationSignature=signature)
    assert without.item["result"]["value"] == "UnauthorizedRequest"
    query = "?sec_access_token=" + token.replace("+", "%2B")
    answered = await client.ask(conversation, "hello", query=query, conversationSignature=signature)
    assert answered.item["result"]["value"] == "Success"
