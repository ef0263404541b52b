"""Parse Netscape's cookies.txt: one cookie a line, in seven fields separated by tabs.

http.cookiejar isn't used: it requires a first line that many exporters omit, and its errors quote lines with values.
"""

import re

from worker.accounts.cookies import Cookie, CookieFileError

_HEAD = re.compile(r"#[ \t]*(netscape )?http cookie file", re.IGNORECASE)
_LINE = re.compile(r"^\S+[ \t]+(TRUE|FALSE)[ \t]+\S+[ \t]+(TRUE|FALSE)[ \t]", re.IGNORECASE | re.MULTILINE)
_HTTP_ONLY = "#HttpOnly_"
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]*)?")


def recognises(text: str) -> bool:
    """Return whether the text is such a file, with its first line or without."""
    return bool(_HEAD.match(text) or _LINE.search(text))


def parse(text: str) -> list[Cookie]:
    """Return the cookies of the file, in its order. Spaces may replace tabs, as in text copied from a page."""
    lines = enumerate(text.splitlines(), start=1)
    return [
        _cookie(number, line.removeprefix(_HTTP_ONLY))
        for number, line in lines
        if line.startswith(_HTTP_ONLY) or (line.strip() and not line.startswith("#"))
    ]


def _cookie(number: int, line: str) -> Cookie:
    fields = line.split("\t", 6) if "\t" in line else line.split(None, 6)
    if len(fields) not in (6, 7) or not _NUMBER.fullmatch(fields[4]):
        raise CookieFileError(f"is a cookies.txt whose line {number} doesn't have the seven fields of a cookie")
    domain, _, _, _, expires, name, *value = fields
    # 0 is a session cookie's; the tab before an empty value may be missing.
    return Cookie(name, "".join(value), domain, float(expires) if float(expires) > 0 else None)
