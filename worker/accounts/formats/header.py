"""A request's `Cookie` header, with the word or without it."""

import re
from urllib.parse import urlsplit

from worker.accounts.cookies import Cookie

# The header's line among others; network panels also copy the word and the value as two lines.
_LINE = re.compile(r"^[ \t]*cookie[ \t]*[:\n](.*)$", re.IGNORECASE | re.MULTILINE)
_PAIRS = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+=.*")


def recognises(text: str) -> bool:
    """Whether this is such a header, or a request's headers with it."""
    return bool(_LINE.search(text) or _PAIRS.fullmatch(text))


def parse(text: str) -> list[Cookie]:
    """The cookies of the header, in its order; whose they are it doesn't say."""
    values = _LINE.findall(text) or [text]
    return [cookie for value in values for cookie in parse_cookie_header(value, "")]


def parse_cookie_header(value: str, domain: str) -> list[Cookie]:
    """The cookies of a header's value.

    By hand, since http.cookies stops at the first character that the standard doesn't have, and takes quotes away.
    """
    pairs = (part.strip().partition("=") for part in value.split(";"))
    return [Cookie(name, content, domain) for name, equals, content in pairs if name and equals]


def url_host(url: str) -> str:
    """The host of an address; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
