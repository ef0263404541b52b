"""The unmodified EdgeGPT before each behaviour of the emulator: what its users have to live with."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from emulator.server import Emulator
from tests.support.conditions import SOON
from tests.support.emulator.bing_client import BingClient, Json
from tests.support.emulator.bing_outcomes import ANSWERED

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:EdgeGPT"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:httpx"),
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# Seconds without a frame after which the library counts as hanging, where it is expected to.
HANGS = 1.0


class Asker:
    """One EdgeGPT Chatbot before the emulator."""

    def __init__(self, chatbot: Any, chat_url: str) -> None:
        self.chatbot = chatbot
        self.chat_url = chat_url
        self.frames: list[tuple[bool, Any]] = []

    async def ask(self, text: str, raw: bool = True, limit: float = SOON) -> Json:
        """Return the final frame; what the library raises is raised, TimeoutError after `limit` seconds of silence.

        All frames are in `frames`.
        """
        self.frames = []
        stream = self.chatbot.ask_stream(text, wss_link=self.chat_url, conversation_style="balanced", raw=raw)
        try:
            async with asyncio.timeout(limit) as silence:
                async for frame in stream:
                    silence.reschedule(asyncio.get_running_loop().time() + limit)
                    self.frames.append(frame)
        finally:
            await self.close()
        assert self.frames[-1][0]
        final: Json = self.frames[-1][1]
        return final

    async def close(self) -> None:
        if self.chatbot.chat_hub.aio_session is not None:
            await self.chatbot.chat_hub.aio_session.close()


@pytest.fixture
async def make(upstream: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Return a function that opens a conversation with EdgeGPT; cookies as given."""
    for name in ("ALL_PROXY", "HTTPS_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BING_PROXY_URL", upstream.create_url)
    from EdgeGPT import chathub
    from EdgeGPT.EdgeGPT import Chatbot

    # As published, also where the worker's provider was imported before, which puts its own socket there.
    monkeypatch.setattr(chathub, "aiohttp", aiohttp)
    askers: list[Asker] = []

    async def create(cookies: list[dict[str, str]] | None = None) -> Asker:
        asker = Asker(await Chatbot.create(cookies=cookies), upstream.chat_url)
        askers.append(asker)
        return asker

    yield create
    for asker in askers:
        await asker.chatbot.chat_hub.session.aclose()
        await asker.close()


@pytest.fixture
async def asker(make: Any) -> Asker:
    asker: Asker = await make([{"name": "_U", "value": "a1"}])
    return asker


async def test_a_conversation_continues(asker: Asker, upstream: Emulator) -> None:
    first = await asker.ask("hello")
    second = await asker.ask("and now?")
    assert second["item"]["throttling"]["numUserMessagesInConversation"] == 2
    assert "hello" in second["item"]["messages"][-1]["text"]
    assert first["item"]["conversationId"] == second["item"]["conversationId"]
    turns = list(upstream.ledger.turns)
    assert [turn.invocation for turn in turns] == ["3", "4"]
    assert [turn.start_of_session for turn in turns] == [True, False]
    assert [turn.tone for turn in turns] == ["Balanced", "Balanced"]
    assert len(upstream.ledger.creates) == 1


async def test_an_ordinary_answer_without_raw_is_cumulative(asker: Asker) -> None:
    final = await asker.ask("hello", raw=False)
    texts = [text for done, text in asker.frames if not done]
    assert all(after.startswith(before) for before, after in pairwise(texts[1:]))
    assert final["item"]["messages"][-1]["text"] in texts[-1]


async def test_a_search_turn_without_raw_buries_the_answer_under_search_results(asker: Asker) -> None:
    final = await asker.ask("hello !search", raw=False)
    answer = final["item"]["messages"][4]["text"]
    assert final["item"]["messages"][1]["text"].startswith("Searching the web for")
    assert "web_search_results" in asker.frames[-2][1]
    assert final["item"]["messages"][-1]["messageType"] == "RenderCardRequest"
    assert answer not in [text for done, text in asker.frames if not done]


# Without the parts that these lack, EdgeGPT fails.
LACKING = {"no-origin", "no-messages", "final-empty", "final-no-origin"}
GOOD_RAW = [*(name for name in ANSWERED if name not in LACKING), "disengaged", "disengaged-mid", "turn-limit", "empty"]


@pytest.mark.parametrize("word", GOOD_RAW)
async def test_raw_frames_arrive(asker: Asker, word: str) -> None:
    final = await asker.ask(f"hello !{word}")
    assert final["item"]["result"]["value"] == "Success"
    updates = [frame for done, frame in asker.frames if not done]
    assert updates[0]["arguments"][0]["throttling"]


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("search-no-cards", KeyError("adaptiveCards")),
        ("progress", KeyError("inlines")),
        ("empty-cards", IndexError("list index out of range")),
        ("disengaged", KeyError("adaptiveCards")),
        ("no-origin", KeyError("contentOrigin")),
    ],
)
async def test_what_breaks_without_raw(asker: Asker, word: str, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        await asker.ask(f"hello !{word}", raw=False)
    assert raised.value.args == error.args


async def test_an_apology_without_raw_is_overwritten(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    final = await asker.ask("hello !apology", raw=False)
    assert final["item"]["messages"][-1]["contentOrigin"] == "Apology"
    assert not final["item"]["messages"][-1]["text"].startswith("My mistake")
    assert "Preserved the message" in capsys.readouterr().err


async def test_an_apology_with_raw_is_untouched(asker: Asker) -> None:
    final = await asker.ask("hello !apology")
    assert final["item"]["messages"][-1]["text"].startswith("My mistake")


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("no-origin", KeyError("contentOrigin")),
        ("invalid-session", KeyError("messages")),
        ("no-messages", KeyError("messages")),
        ("final-empty", IndexError("list index out of range")),
        ("final-no-origin", KeyError("contentOrigin")),
        ("no-result", KeyError("result")),
        ("no-item", KeyError("item")),
        ("throttled", Exception("Throttled: Request is throttled.")),
        ("throttled-after-text", Exception("Throttled: Request is throttled.")),
        ("captcha", Exception("CaptchaChallenge: User needs to solve CAPTCHA to continue.")),
        ("internal", Exception("InternalError: Unhandled Dependency Failure: DeepLeo|Bing")),
        ("internal-after-text", Exception("InternalError: Unhandled Exception")),
        ("invalid-request", Exception("InvalidRequest: Sorry, I wasn't able to respond to that")),
        ("unknown-value", Exception("SomethingNew: A value that no client knows.")),
        ("empty-messages", Exception("No response from server")),
    ],
)
async def test_what_breaks_with_raw_too(asker: Asker, word: str, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        await asker.ask(f"hello !{word}")
    assert raised.value.args == error.args
    assert not any(done for done, _ in asker.frames)


@pytest.mark.parametrize("word", ["unauthorized", "unauthorized-signature", "unauthorized-expired"])
async def test_unauthorized_turns(asker: Asker, word: str) -> None:
    with pytest.raises(Exception, match=r"^UnauthorizedRequest: "):
        await asker.ask(f"hello !{word}")


@pytest.mark.parametrize(
    "word",
    ["close-before", "close-mid", "close-late", "reset-before", "reset-mid", "binary", "big", "type7-close"],
)
async def test_broken_sockets(asker: Asker, word: str) -> None:
    # The library writes as it reads: it echoes pings and close records, and pings by itself in every sixth second. What
    # fails first on a broken socket is its next read, or such a write.
    with pytest.raises((TypeError, ConnectionError)):
        await asker.ask(f"hello !{word}")


@pytest.mark.parametrize("word", ["bad-json", "split-record"])
async def test_records_that_are_no_json(asker: Asker, word: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        await asker.ask(f"hello !{word}")


@pytest.mark.parametrize("word", ["silence", "silence-mid", "silence-late", "type7", "type3", "type3-error"])
async def test_what_hangs_for_ever(asker: Asker, word: str) -> None:
    with pytest.raises(TimeoutError):
        # What comes before the silence is asserted on, and may be late on a busy machine.
        await asker.ask(f"hello !{word}", limit=HANGS * 3)
    kinds = [frame["type"] for _, frame in asker.frames]
    assert (3 in kinds) == word.startswith("type3")


@pytest.mark.parametrize("outcome", ["silent-handshake", "never"])
async def test_a_silent_handshake_hangs_for_ever(asker: Asker, client: BingClient, outcome: str) -> None:
    await client.script(account="a1", upgrade={"outcome": outcome})
    with pytest.raises(TimeoutError):
        await asker.ask("hello", limit=HANGS)


@pytest.mark.parametrize("outcome", ["http-403", "http-502", "http-200"])
async def test_a_refused_upgrade_spends_no_invocation(asker: Asker, client: BingClient, outcome: str) -> None:
    await client.script(account="a1", upgrade={"outcome": outcome})
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await asker.ask("hello")
    assert (await asker.ask("hello"))["item"]["result"]["value"] == "Success"


async def test_a_failed_turn_spends_an_invocation_and_the_next_one_is_answered(
    asker: Asker, upstream: Emulator
) -> None:
    with pytest.raises(Exception, match="Throttled"):
        await asker.ask("hello !throttled")
    with pytest.raises(TypeError):
        await asker.ask("hello !close-mid")
    assert (await asker.ask("hello"))["item"]["result"]["value"] == "Success"
    assert [turn.invocation for turn in upstream.ledger.turns] == ["3", "4", "5"]


async def test_a_wish_for_pictures_without_cookies_is_dropped(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    asker: Asker = await make(None)
    final = await asker.ask("a cat !image")
    assert "No auth cookie provided" in capsys.readouterr().out
    kinds = [
        m.get("messageType") for done, f in asker.frames if not done for m in f["arguments"][0].get("messages", [])
    ]
    assert "GenerateContentQuery" not in kinds
    assert final["item"]["messages"][1]["messageType"] == "GenerateContentQuery"


async def test_a_wish_for_pictures_with_cookies_breaks_the_final_frame(
    asker: Asker, upstream: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import BingImageCreator

    monkeypatch.setattr(BingImageCreator, "BING_URL", upstream.url)
    monkeypatch.setattr(BingImageCreator, "asyncio", SimpleNamespace(sleep=lambda _seconds: asyncio.sleep(0)))
    with pytest.raises(KeyError, match="adaptiveCards"):
        await asker.ask("a cat !image")
    assert upstream.ledger.images[0].outcome == "success"


async def test_pictures_that_never_come_hang_the_chat(
    asker: Asker, upstream: Emulator, client: BingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import BingImageCreator

    monkeypatch.setattr(BingImageCreator, "BING_URL", upstream.url)
    await client.script(account="a1", image={"outcome": "pending"})
    with pytest.raises(TimeoutError):
        await asker.ask("a cat !image", limit=HANGS * 3)
    assert upstream.ledger.images[0].outcome == "running"


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("http-403", "Authentication failed$"),
        ("http-404", "Authentication failed$"),
        ("http-500", "Authentication failed$"),
        ("html", "You have not been accepted into the beta"),
        ("bad-json", "You have not been accepted into the beta"),
        ("empty", "You have not been accepted into the beta"),
        ("unauthorized-login", "you need to login first"),
        ("not-allowed", "you are not allowed"),
        ("forbidden", "conversationSignature"),
        ("internal", "conversationSignature"),
        ("no-ids", "conversationSignature"),
        ("header-only", "conversationSignature"),
        ("redirect-loop", "Exceeded maximum allowed redirects"),
    ],
)
async def test_creates_that_fail(make: Any, client: BingClient, outcome: str, error: str) -> None:
    await client.script(account="a1", create={"outcome": outcome})
    with pytest.raises(Exception, match=error):
        await make([{"name": "_U", "value": "a1"}])
