"""An HTTP client that acts like an account's browser."""

import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from wire.reasons import Reason
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers.bounded_transport import ACCEPTED_ENCODINGS, BoundedTransport
from worker.providers.proxy import open_transport


def open_browser(
    account: CookieAccount,
    address: str,
    headers: Mapping[str, str],
    tls: ssl.SSLContext,
    timeout: httpx.Timeout,
    limit: int,
) -> httpx.AsyncClient:
    """Create a client with the account's cookies and proxy; relative URLs are resolved against `address`.

    Cookies are sent only to the address's site, even after redirects. Proxies of the environment are ignored: accounts
    are bound to the IP address from which they are used. A response may have `limit` bytes, decompressed.
    """
    home = httpx.URL(address)
    transport = (
        open_transport(account.proxy, tls) if account.proxy else httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
    )

    async def keep_cookies_home(request: httpx.Request) -> None:
        downgraded = home.scheme == "https" and request.url.scheme != "https"
        if downgraded or _site(request.url.host) != _site(home.host):
            request.headers.pop("cookie", None)

    # Their log lines contain whole URLs, which contain the questions.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        base_url=home,
        cookies=account.cookies,
        headers={"accept-encoding": ACCEPTED_ENCODINGS, **headers},
        transport=BoundedTransport(transport, limit),
        timeout=timeout,
        trust_env=False,
        event_hooks={"request": [keep_cookies_home]},
    )


@contextmanager
def upstream_errors(silence: Reason) -> Iterator[None]:
    """Translate httpx's errors to UpstreamError; `silence` is the reason for a server that takes too long to answer.

    Errors after connecting are logged by class name only: h11's messages contain lines of the request or the response.
    """
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise UpstreamError(Reason.TIMEOUT_CONNECT, "no connection in time") from error
    except httpx.TimeoutException as error:
        raise UpstreamError(silence, type(error).__name__) from error
    except (httpx.ConnectError, httpx.ProxyError) as error:
        raise UpstreamError(Reason.TRANSPORT_CONNECT, str(error)) from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise UpstreamError(Reason.TRANSPORT_CLOSED, type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, type(error).__name__) from error


def _site(host: str) -> str:
    """Return the domain that all hosts of one owner share; for an IP address the address itself."""
    labels = host.split(".")
    return host if labels[-1].isdigit() or ":" in host else ".".join(labels[-2:])
