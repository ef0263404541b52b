import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.conditions import until
from tests.support.emulator.bing_client import BingClient

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning"),
]

Pictures = list[str]


class Maker:
    """BingImageCreator's asynchronous class, one object a wish."""

    def __init__(self, library: Any, account: str) -> None:
        self._library = library
        self._account = account

    async def make(self, prompt: str) -> Pictures:
        async with self._library.ImageGenAsync(auth_cookie=self._account, quiet=True) as generator:
            async with asyncio.timeout(2):
                pictures: Pictures = await generator.get_images(prompt)
                return pictures


@pytest.fixture
async def maker(upstream: Emulator, monkeypatch: pytest.MonkeyPatch) -> Maker:
    import BingImageCreator

    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(BingImageCreator, "BING_URL", upstream.url)
    monkeypatch.setattr(BingImageCreator, "asyncio", SimpleNamespace(sleep=lambda _seconds: asyncio.sleep(0)))
    return Maker(BingImageCreator, "a1")


async def test_four_pictures_that_can_be_fetched(maker: Maker, client: BingClient, upstream: Emulator) -> None:
    pictures = await maker.make("a red circle")
    assert len(pictures) == 4
    for address in pictures:
        assert address.startswith(f"{upstream.url}/th/id/OIG.")
        async with client.session.get(address) as response:
            assert response.content_type == "image/svg+xml"
            assert (await response.text()).startswith("<svg")
    entry = upstream.ledger.images[0]
    assert (entry.account, entry.prompt, entry.posts, entry.polls) == ("a1", "a red circle", 1, 2)
    assert entry.outcome == entry.scripted == "success"


async def test_the_same_prompt_gives_the_same_pictures(maker: Maker) -> None:
    assert set(await maker.make("a cat")) == set(await maker.make("a cat"))


@pytest.mark.parametrize(("word", "count"), [("one", 1), ("retry", 4), ("icons", 6)])
async def test_other_ways_to_pictures(maker: Maker, upstream: Emulator, word: str, count: int) -> None:
    assert len(await maker.make(f"a cat !{word}")) == count
    assert [entry.outcome for entry in upstream.ledger.images] == [word]


@pytest.mark.parametrize(
    ("word", "error", "posts"),
    [
        ("blocked", "Your prompt has been blocked", 1),
        ("reviewed", "Redirect failed", 2),
        ("language", "Redirect failed", 2),
        ("busy", "Redirect failed", 2),
        ("unsafe", "Redirect failed", 2),
        ("too-many", "Redirect failed", 2),
        ("no-redirect", "Redirect failed", 2),
        ("forbidden", "Redirect failed", 2),
        ("http-500", "Redirect failed", 2),
        ("poll-500", "Could not get results", 1),
        ("poll-404", "Could not get results", 1),
        ("bad", "Bad images", 1),
        ("none", "No images", 1),
        ("absolute", "Invalid port", 1),
    ],
)
async def test_failures_are_one_attempt_each(
    maker: Maker, upstream: Emulator, word: str, error: str, posts: int
) -> None:
    with pytest.raises(Exception, match=error):
        await maker.make(f"a cat !{word}")
    assert [(entry.scripted, entry.posts) for entry in upstream.ledger.images] == [(word, posts)]
    if word != "absolute":
        assert upstream.ledger.images[0].outcome == word


@pytest.mark.parametrize("word", ["pending", "error-message", "slow=30", "slow-post=30"])
async def test_pictures_that_never_come(maker: Maker, upstream: Emulator, word: str) -> None:
    task = asyncio.create_task(maker.make(f"a cat !{word}"))
    await until(lambda: upstream.ledger.images)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0.3)
    assert [entry.outcome for entry in upstream.ledger.images] == ["running"]


async def test_two_attempts_after_each_other_are_two(maker: Maker, upstream: Emulator) -> None:
    for _ in range(2):
        with pytest.raises(Exception, match="Redirect failed"):
            await maker.make("a cat !no-redirect")
    assert [entry.posts for entry in upstream.ledger.images] == [2, 2]


async def test_pictures_need_an_account(stranger: BingClient, upstream: Emulator) -> None:
    url = f"{stranger.url}/images/create?q=a%20cat&rt=3&FORM=GENCRE"
    async with stranger.session.post(url, data="q=a%20cat&qs=ds", allow_redirects=False) as response:
        assert response.status == 200
        assert "Please sign in to create images" in await response.text()
    assert upstream.ledger.images[0].outcome == "sign-in"


async def test_the_redirect_is_relative_and_ends_with_the_id(client: BingClient) -> None:
    url = f"{client.url}/images/create?q=a%20cat&rt=4&FORM=GENCRE"
    async with client.session.post(url, headers=client.headers, data="q=a", allow_redirects=False) as response:
        location = response.headers["Location"]
    assert location.startswith("/images/create?q=a%20cat&rt=4&mdl=0&ar=1&FORM=GENCRE&id=1-")
    identity = location.split("id=")[-1]
    async with client.session.get(client.url + location) as response:
        assert f'data-c="/images/create/async/results/{identity}"' in await response.text()
    async with client.session.get(f"{client.url}/images/create/async/results/{identity}") as response:
        assert await response.text() == ""
    async with client.session.get(f"{client.url}/images/create/async/results/{identity}") as response:
        assert "?w=270&amp;h=270&amp;c=6" in await response.text()


async def test_an_unknown_attempt_has_no_results(client: BingClient) -> None:
    async with client.session.get(f"{client.url}/images/create/async/results/1-0") as response:
        assert response.status == 404


async def test_the_account_can_be_scripted(maker: Maker, client: BingClient) -> None:
    await client.script(account="a1", image={"outcome": "blocked"})
    with pytest.raises(Exception, match="blocked"):
        await maker.make("a cat")
    assert len(await maker.make("a cat")) == 4


async def test_pictures_have_the_public_address(client: BingClient) -> None:
    settings = EmulatorSettings(port=0, pace=0, public_url="http://pictures.test:81")
    async with Emulator(settings) as upstream:
        other = BingClient(client.session, upstream.url, "a1")
        url = f"{other.url}/images/create?q=a%20cat"
        async with other.session.post(url, headers=other.headers, data="q=a", allow_redirects=False) as response:
            identity = response.headers["Location"].split("id=")[-1]
        for _ in range(2):
            async with other.session.get(f"{other.url}/images/create/async/results/{identity}") as response:
                body = await response.text()
    assert 'src="http://pictures.test:81/th/id/OIG.' in body
