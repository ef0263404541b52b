"""Everything that the stand-in for Bing can do with an order of pictures, through the provider."""

import anyio
import pytest

from emulator.server import Emulator
from worker.accounts.account import Account, CookieAccount
from worker.errors import UpstreamError
from worker.providers.bing.images import BingImageProvider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ALICE = CookieAccount("alice", {"_U": "alice"})

DRAWN = {"success": 4, "one": 1, "retry": 4, "icons": 4, "slow=0": 4, "slow-post=0": 4}
FAILED = {
    "blocked": "image.blocked",
    "reviewed": "image.reviewed",
    "language": "image.unsupported_lang",
    "busy": "image.busy",
    "unsafe": "image.blocked",
    "too-many": "account.throttled",
    "sign-in": "account.unauthorized",
    "no-redirect": "image.protocol",
    "absolute": "image.protocol",
    "forbidden": "account.unauthorized",
    "http-500": "image.protocol",
    "pending": "image.timeout",
    "error-message": "image.timeout",
    "poll-500": "image.protocol",
    "poll-404": "image.protocol",
    "bad": "image.bad",
    "none": "image.empty",
}


async def drawn(bing: Emulator, keyword: str, account: Account = ALICE) -> tuple[tuple[str, ...], int]:
    """Return the images, and how often the request was marked as sent."""
    marks = 0

    async def mark() -> None:
        nonlocal marks
        marks += 1
        assert not bing.ledger.images

    settings = WorkerSettings(bing_image_url=bing.url, answer_timeout=3.0)
    with anyio.fail_after(20):
        pictures = await BingImageProvider(settings).draw(account, keyword, mark)
    return pictures, marks


@pytest.mark.parametrize("word", DRAWN)
async def test_pictures_are_drawn_in_one_attempt(bing: Emulator, word: str) -> None:
    pictures, marks = await drawn(bing, f"a river !{word}")
    assert len(set(pictures)) == DRAWN[word]
    assert all(picture.startswith(f"{bing.url}/th/id/OIG.") for picture in pictures)
    assert (marks, len(bing.ledger.images)) == (1, 1)


@pytest.mark.parametrize("word", FAILED)
async def test_a_failed_order_is_one_error(bing: Emulator, word: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await drawn(bing, f"a river !{word}")
    assert caught.value.reason == FAILED[word]
    assert caught.value.refused is FAILED[word].startswith("account.")
    assert len(bing.ledger.images) == 1


async def test_an_account_that_is_signed_out_is_reported_so(bing: Emulator) -> None:
    with pytest.raises(UpstreamError) as caught:
        await drawn(bing, "a river", CookieAccount("nobody", {"MUID": "m"}))
    assert (caught.value.reason, caught.value.refused) == ("account.unauthorized", True)


@pytest.mark.parametrize(
    "keyword", ["a poster: you can't submit any more prompts", "Please sign in to create images", "a signin at login.x"]
)
async def test_a_request_that_reads_like_a_refusal_is_drawn(bing: Emulator, keyword: str) -> None:
    """Bing repeats it beside the pictures, and in the address that it redirects to."""
    pictures, _ = await drawn(bing, keyword)
    assert len(pictures) == 4
