"""HTTP as an account's browser would speak it."""

import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers.proxy import open_transport


def open_browser(
    account: CookieAccount, address: str, headers: Mapping[str, str], tls: ssl.SSLContext, timeout: httpx.Timeout
) -> httpx.AsyncClient:
    """A client for one errand, with the account's cookies; relative addresses are resolved against `address`.

    Cookies never leave the address's site, whatever it redirects to. It goes out by the account's proxy and never by
    one of the environment's: accounts are tied to the address that they come from.
    """
    home = httpx.URL(address)

    async def keep_cookies_home(request: httpx.Request) -> None:
        downgraded = home.scheme == "https" and request.url.scheme != "https"
        if downgraded or _site(request.url.host) != _site(home.host):
            request.headers.pop("cookie", None)

    # Its log lines hold whole addresses, and those hold the questions.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        base_url=home,
        cookies=account.cookies,
        headers=headers,
        verify=tls,
        transport=open_transport(account.proxy, tls) if account.proxy else None,
        timeout=timeout,
        trust_env=False,
        event_hooks={"request": [keep_cookies_home]},
    )


@contextmanager
def upstream_errors(silence: str) -> Iterator[None]:
    """Turn httpx's errors into UpstreamError; `silence` is the reason for a server that takes too long to answer.

    What went wrong beyond connecting is told by its name alone: h11's words repeat lines of what was sent or came.
    """
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise UpstreamError("timeout.connect", "no connection in time") from error
    except httpx.TimeoutException as error:
        raise UpstreamError(silence, type(error).__name__) from error
    except (httpx.ConnectError, httpx.ProxyError) as error:
        raise UpstreamError("transport.connect", str(error)) from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise UpstreamError("transport.closed", type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UpstreamError("upstream.protocol", type(error).__name__) from error


def _site(host: str) -> str:
    """The part of a host name that all hosts of one owner share; an IP address is its own."""
    labels = host.split(".")
    return host if labels[-1].isdigit() or ":" in host else ".".join(labels[-2:])
