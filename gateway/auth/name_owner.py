"""Who may use the names that a client gives: those of its conversations, and its Idempotency-Keys.

Without API keys users behind one address are one client, and none of them should meet another's names by knowing or
guessing them. What distinguishes them allows nothing that others may not do.
"""

import hashlib
import re
import secrets

from starlette.requests import HTTPConnection
from starlette.responses import Response

from gateway.auth.clients import read_api_key
from wire.jobs import Client

# The cookie that browsers get with the page (RFC 6265). It comes before any question, and with no answer: a program
# that keeps cookies would repeat a question whose answer broke off as somebody else. Where there is TLS it has the
# prefix that no page of another name below the same domain can set (RFC 6265bis, 4.1.3.2).
COOKIE = "bing-chat-names"
TLS_COOKIE = f"__Host-{COOKIE}"
_BYTES = 24
_VALUE = re.compile(r"[\w-]{32}", re.ASCII)
# Seconds for which browsers keep a cookie at most (RFC 6265bis, 5.5).
_MAX_AGE = 400 * 86_400


def find_owner(connection: HTTPConnection, client: Client) -> str:
    """Return whose the names are that come with a request or socket; '' if they are its client's, as far as is known.

    A browser with a gateway's cookie has its own, from every address. Others share theirs with those who send the same
    key from the same address, also where no key is needed.
    """
    if client.holder:
        return ""
    if browser := _read_cookie(connection, TLS_COOKIE) or _read_cookie(connection, COOKIE):
        return f"browser:{_digest(browser)}"
    credentials = _read_credentials(connection)
    return f"{client.name} {_digest(credentials)}" if credentials else ""


def give_cookie(connection: HTTPConnection, response: Response, *, secure: bool) -> None:
    """Add the cookie to a page's response: the browser's own one, which so lives on, or a new one."""
    name = TLS_COOKIE if secure else COOKIE
    value = _read_cookie(connection, name) or secrets.token_urlsafe(_BYTES)
    response.set_cookie(name, value, max_age=_MAX_AGE, secure=secure, httponly=True, samesite="lax")
    response.headers["cache-control"] = "private, no-cache"


def _read_cookie(connection: HTTPConnection, name: str) -> str:
    """Return a cookie's value if it can be one of ours.

    Starlette reads cookies by http.cookies, which can take half a minute for 64 kB of backslashes (CVE-2024-7592).
    """
    cookies = ";".join(connection.headers.getlist("cookie"))
    values = re.findall(rf"(?:^|;)[ \t]*{name}[ \t]*=([^;]*)", cookies)
    return values[-1].strip() if values and _VALUE.fullmatch(values[-1].strip()) else ""


def _read_credentials(connection: HTTPConnection) -> str:
    """Return what the client sends with each of its requests; of most other schemes each request has its own."""
    if key := read_api_key(connection):
        return key
    sent = connection.headers.get("authorization", "").strip()
    scheme, space, _ = sent.partition(" ")
    return sent if not space or scheme.lower() == "basic" else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
