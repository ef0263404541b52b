"""Select the cookies of a file that make an account. A cookie's value never appears in a message."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from worker.accounts.account import SIGN_IN, CookieAccount

_SITE = "bing.com"
# A Cookie header carries visible ASCII without separators; spaces are allowed only inside values.
_NAME = re.compile(r"[!-:<>-~]+")
_VALUE = re.compile(r"[ -:<-~]*")


@dataclass(frozen=True)
class Cookie:
    """A cookie of a file; `domain` is empty, `expires` (Unix seconds) None where the file doesn't contain them."""

    name: str
    value: str = field(repr=False)
    domain: str = ""
    expires: float | None = None


class CookieFileError(ValueError):
    """One sentence about what is wrong with a file, without the file's name."""


def account_from_cookies(name: str, cookies: Collection[Cookie], now: float) -> CookieAccount:
    """Return the account that these cookies sign in; of several with one name the last counts.

    `now` is in Unix seconds. Cookies of other sites, expired ones and those that no header can carry are ignored.
    CookieFileError if they make no account.
    """
    bing = {cookie.name: cookie for cookie in cookies if is_bing_domain(cookie.domain)}
    if cookies and not bing:
        raise CookieFileError("holds cookies of other sites only: export them at www.bing.com")
    if SIGN_IN not in bing:
        raise CookieFileError(f"has no {SIGN_IN} cookie: export it while signed in at www.bing.com")
    faults = {cookie.name: _fault(cookie, now) for cookie in bing.values()}
    if faults[SIGN_IN]:
        raise CookieFileError(faults[SIGN_IN])
    usable = {cookie.name: cookie.value for cookie in bing.values() if not faults[cookie.name]}
    return CookieAccount(name, usable, bing[SIGN_IN].expires)


def is_bing_domain(domain: str) -> bool:
    """Return whether a cookie's domain, or a host, is one of Bing's. An empty one may be."""
    host = domain.lower().lstrip(".")
    return host in ("", _SITE) or host.endswith(f".{_SITE}")


def _fault(cookie: Cookie, now: float) -> str:
    """Return why a cookie can't be sent; empty if it can."""
    if cookie.expires is not None and cookie.expires <= now:
        return f"has an expired {SIGN_IN} cookie: sign in again and export anew"
    if not cookie.value and cookie.name == SIGN_IN:
        return f"has an empty {SIGN_IN} cookie"
    if not _NAME.fullmatch(cookie.name) or not _VALUE.fullmatch(cookie.value):
        return f"has a {SIGN_IN} cookie with characters that no header can carry"
    return ""
