"""The key that a request brings: it names the account."""

from aiohttp import web

from emulator.accounts import ANONYMOUS, Account
from emulator.bing import Bing
from emulator.openai import problem
from emulator.openai.problem import Problem


def key_of(request: web.Request) -> str:
    """The bearer token, or Azure's `api-key` header; empty without either."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("api-key", "")


def account_of(request: web.Request, bing: Bing) -> Account:
    return bing.accounts.get(key_of(request) or ANONYMOUS)


def refusal(account: Account, bing: Bing) -> Problem | None:
    """Why this account gets nothing at all, None if it does."""
    if account.dead:
        return problem.wrong_key()
    if not account.signed_in and bing.settings.key_needed:
        return problem.no_key()
    return None
