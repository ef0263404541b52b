"""The API key of a request, which names the account."""

from aiohttp import web

from emulator.accounts import ANONYMOUS, EmulatorAccount
from emulator.anthropic import error_response
from emulator.anthropic.error_response import AnthropicError
from emulator.state import EmulatorState


def read_key(request: web.Request) -> str:
    """Return the header `x-api-key`, else the bearer token; empty without either."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else "")


def find_account(request: web.Request, state: EmulatorState) -> EmulatorAccount:
    """Return the account that the key names."""
    return state.accounts.get(read_key(request) or ANONYMOUS)


def check(account: EmulatorAccount, state: EmulatorState) -> AnthropicError | None:
    """Return the error that this account gets for everything, None if it is served."""
    if account.dead:
        return error_response.wrong_key()
    if not account.signed_in and state.settings.key_needed:
        return error_response.no_key()
    return None
