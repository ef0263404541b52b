"""Parse a HAR, the recording of a browser's network panel, with the cookies of each request."""

from dataclasses import replace

import msgspec

from worker.accounts.account import SIGN_IN
from worker.accounts.cookies import Cookie, CookieFileError, is_bing_domain
from worker.accounts.formats.decoding import decode, parse_time
from worker.accounts.formats.header import parse_cookie_header, url_host


class _HarHeader(msgspec.Struct):
    name: str
    value: str


class _HarCookie(msgspec.Struct):
    name: str
    value: str
    expires: float | str | None = None


class _HarRequest(msgspec.Struct):
    url: str
    cookies: list[_HarCookie] = []
    headers: list[_HarHeader] = []


class _HarEntry(msgspec.Struct, rename="camel"):
    request: _HarRequest
    started_date_time: str = ""


class _HarLog(msgspec.Struct):
    entries: list[_HarEntry]


_log = msgspec.json.Decoder(_HarLog)


def parse(log: msgspec.Raw) -> list[Cookie]:
    """Return the cookies of the requests to Bing, older requests first.

    Only requests with the newest sign-in count: the user may have changed accounts during the recording.
    """
    entries = decode(_log, log, "is a HAR whose requests can't be understood").entries
    bing = [entry for entry in entries if (host := url_host(entry.request.url)) and is_bing_domain(host)]
    if not bing:
        raise CookieFileError("is a HAR without a request to www.bing.com")
    bing.sort(key=lambda entry: parse_time(entry.started_date_time) or 0)
    sent = [cookies for entry in bing if (cookies := _request_cookies(entry.request))]
    if not sent:
        raise CookieFileError("is a HAR without cookies: export it with sensitive data")
    newest = next((cookies[SIGN_IN].value for cookies in reversed(sent) if SIGN_IN in cookies), None)
    latest = [cookies for cookies in sent if newest is None or _sign_in(cookies) == newest]
    return [cookie for cookies in latest for cookie in cookies.values()]


def _request_cookies(request: _HarRequest) -> dict[str, Cookie]:
    """Return the cookies of one request by name: the header has the values that were sent, the list the expiry."""
    host = url_host(request.url)
    cookies = {
        cookie.name: Cookie(cookie.name, cookie.value, host, parse_time(cookie.expires)) for cookie in request.cookies
    }
    for header in request.headers:
        if header.name.lower() == "cookie":
            for cookie in parse_cookie_header(header.value, host):
                cookies[cookie.name] = replace(cookies.get(cookie.name, cookie), value=cookie.value)
    return cookies


def _sign_in(cookies: dict[str, Cookie]) -> str | None:
    return cookies[SIGN_IN].value if SIGN_IN in cookies else None
