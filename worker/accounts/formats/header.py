"""Parse a request's `Cookie` header, with its name or without."""

import re
from urllib.parse import urlsplit

from worker.accounts.cookies import Cookie

# The header's line among others; network panels also copy the name and the value as two lines.
_LINE = re.compile(r"^[ \t]*cookie[ \t]*[:\n](.*)$", re.IGNORECASE | re.MULTILINE)
_PAIRS = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+=.*")


def recognises(text: str) -> bool:
    """Return whether the text is such a header, or a request's headers with it."""
    return bool(_LINE.search(text) or _PAIRS.fullmatch(text))


def parse(text: str) -> list[Cookie]:
    """Return the cookies of the header, in its order; their domain is unknown."""
    values = _LINE.findall(text) or [text]
    return [cookie for value in values for cookie in parse_cookie_header(value, "")]


def parse_cookie_header(value: str, domain: str) -> list[Cookie]:
    """Return the cookies of a header's value.

    http.cookies isn't used: it stops at the first character that the standard forbids, and removes quotes.
    """
    pairs = (part.strip().partition("=") for part in value.split(";"))
    return [Cookie(name, content, domain) for name, equals, content in pairs if name and equals]


def url_host(url: str) -> str:
    """Return the host of a URL; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
