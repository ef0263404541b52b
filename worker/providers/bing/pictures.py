"""Parse Bing's image pages: the outcome that they report, and the images' URLs."""

import re
import unicodedata
from html import unescape

from wire.reasons import Reason
from worker.errors import UpstreamError

# The pages' phrases in lower case, with the reason, and whether another account may succeed (an explicit refusal).
_OUTCOMES = (
    ("this prompt has been blocked", Reason.IMAGE_BLOCKED, False),
    ("unsafe image content detected", Reason.IMAGE_BLOCKED, False),
    ("content warning", Reason.IMAGE_BLOCKED, False),
    ("this prompt is being reviewed", Reason.IMAGE_REVIEWED, False),
    ("offer image creator in more languages", Reason.IMAGE_UNSUPPORTED_LANGUAGE, False),
    ("can't submit any more prompts", Reason.ACCOUNT_THROTTLED, True),
    ("please sign in to create images", Reason.ACCOUNT_UNAUTHORIZED, True),
    ("can't create your images right now", Reason.IMAGE_BUSY, False),
    ("high demand", Reason.IMAGE_BUSY, False),
)
# The largest number of images of a page; real ones have four.
MOST_PICTURES = 100
# How many times a text may have been escaped.
_MOST_READINGS = 4
_TAG = re.compile(r"<[^<>]*>")
_NO_LETTER = re.compile(r"[^a-z]+")
_SOURCE = re.compile(r'src="([^"]+)"')


def check_page(page: str, keyword: str = "") -> None:
    """Raise UpstreamError if the page gives, in English, a reason for having no images.

    A page may repeat the `keyword`, as it is or as its markup reads, so that no phrase in it counts. What a page does
    with it is Bing's to choose, so that a refusal may follow from the question all the same.
    """
    asked = f"{_letters(keyword)} {_letters(_read_markup(keyword))}"
    text = unescape(page).replace("’", "'").lower()
    for phrase, reason, refused in _OUTCOMES:
        if phrase in text and _letters(phrase) not in asked:
            error = UpstreamError(reason, phrase, refused=refused)
            error.by_question = True
            raise error


def _read_markup(text: str) -> str:
    """Return a text as a page shows it that repeats it raw, maybe after it was read as markup before."""
    for _ in range(_MOST_READINGS):
        text, before = unescape(text), text
        if text == before:
            break
    return _TAG.sub("", text)


def _letters(text: str) -> str:
    """Return the letters of a text, whatever is between them: a page may leave that out."""
    return _NO_LETTER.sub("", unicodedata.normalize("NFKC", text).lower())


def check_order(status: int, location: str) -> None:
    """Raise UpstreamError if the response to a request for images is a refusal, or has no valid redirect."""
    # Behind it is what the client asked for.
    place = location.partition("?")[0]
    if status in (401, 403) or "signin" in place or "login." in place:
        raise UpstreamError(Reason.ACCOUNT_UNAUTHORIZED, f"HTTP {status}", refused=True)
    if status == 302 and not (location.startswith("/") and "id=" in location):
        raise UpstreamError(Reason.IMAGE_PROTOCOL, "a redirect without an id")


def find_pictures(page: str) -> tuple[str, ...]:
    """Return the URLs of the images in full size, in the page's order, each once, without the site's icons."""
    sources = (unescape(source).split("?w=")[0] for source in _SOURCE.findall(page))
    found = dict.fromkeys(source for source in sources if source.startswith(("https://", "http://")))
    return tuple(found)[:MOST_PICTURES]
