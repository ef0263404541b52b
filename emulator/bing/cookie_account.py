"""The account of a request to Bing."""

from aiohttp import web

from emulator.accounts import ANONYMOUS


def account_name(request: web.Request) -> str:
    """Return the value of the `_U` cookie, which names the account."""
    return request.cookies.get("_U") or ANONYMOUS
