"""Bing's pages about pictures: which outcome they tell of, and the pictures on them."""

import re
from html import unescape

from worker.errors import UpstreamError

# What the pages say, in lower case: the reason, and whether it is an explicit refusal that another account may cure.
_OUTCOMES = (
    ("this prompt has been blocked", "image.blocked", False),
    ("unsafe image content detected", "image.blocked", False),
    ("content warning", "image.blocked", False),
    ("this prompt is being reviewed", "image.reviewed", False),
    ("offer image creator in more languages", "image.unsupported_lang", False),
    ("can't submit any more prompts", "account.throttled", True),
    ("please sign in to create images", "account.unauthorized", True),
    ("can't create your images right now", "image.busy", False),
    ("high demand", "image.busy", False),
)
_SOURCE = re.compile(r'src="([^"]+)"')


def check_page(page: str) -> None:
    """UpstreamError if the page says, in English, why there are no pictures."""
    words = unescape(page).replace("’", "'").lower()
    for phrase, reason, refused in _OUTCOMES:
        if phrase in words:
            raise UpstreamError(reason, phrase, refused=refused)


def check_order(status: int, location: str, page: str) -> None:
    """UpstreamError if the response to an order of pictures says why it was declined, or leads nowhere."""
    if status in (401, 403) or "signin" in location or "login." in location:
        raise UpstreamError("account.unauthorized", f"HTTP {status}", refused=True)
    if status == 302 and not (location.startswith("/") and "id=" in location):
        raise UpstreamError("image.protocol", "a redirect without an id")
    check_page(page)


def find_pictures(page: str) -> tuple[str, ...]:
    """The addresses of the pictures in full size, in the page's order, each once. Icons of the site are left out."""
    sources = (unescape(source).split("?w=")[0] for source in _SOURCE.findall(page))
    return tuple(dict.fromkeys(source for source in sources if source.startswith(("https://", "http://"))))
