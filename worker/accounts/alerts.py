"""Send alerts about accounts to an operator's webhook."""

import asyncio
import logging
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import httpx
import structlog

from wire.errors import StoreUnavailableError
from wire.ledger import PICTURES, AccountAlert, Ledger

_LOG = structlog.get_logger()
_LOOK_EVERY = 2.0
# The number of tries for each alert, the pause between them and the time limit of each, in seconds.
_TRIES = 3
_PAUSE = 1.0
_TRY_LIMIT = 5.0


# Each event, and when it is sent.
EVENTS = {
    "account.quarantined": "an account became quarantined: it waits for a person to solve a captcha",
    "account.dead": "an account became dead: it waits for new cookies, or for a server's right key or model",
    "accounts.few": "less than `ALERT_SHARE` of the accounts are ready, not counting paused ones",
    "accounts.enough": "enough accounts are ready again",
}


@dataclass(frozen=True)
class Alert:
    """The JSON body of an alert."""

    event: Annotated[str, "one of the events above"]
    account: Annotated[
        str | None,
        "the account's name, with `/images` behind it for its pictures; null for `accounts.few` and `accounts.enough`",
    ]
    state: Annotated[str | None, "the account's state, `quarantined` or `dead`; else null"]
    reason: Annotated[str | None, "the reason for that state; else null"]
    until: Annotated[str | None, "for `accounts.few`, when the first account returns by itself; else null"]
    ready: Annotated[int, "how many of `accounts` are ready"]
    accounts: Annotated[int, "how many accounts there are, not counting paused ones"]
    time: Annotated[str, "when the alert was made"]


def build_alert(news: AccountAlert, now: float) -> Alert:
    """Build the alert that is sent at `now`, in Unix seconds."""
    until = _format_time(news.returns / 1000) if news.few and news.returns else None
    return Alert(
        _event(news), news.account, news.state, news.reason, until, news.ready, news.accounts, _format_time(now)
    )


def _event(news: AccountAlert) -> str:
    if news.account is not None:
        return f"account.{news.state}"
    return "accounts.few" if news.few else "accounts.enough"


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class AlertSender:
    """Sends each alert once, from one of the workers."""

    def __init__(
        self,
        webhook: str,
        share: float,
        ledger: Ledger,
        *,
        look_every: float = _LOOK_EVERY,
        pause: float = _PAUSE,
        limit: float = _TRY_LIMIT,
    ) -> None:
        self._webhook = webhook
        self._share = share
        self._ledger = ledger
        self._look_every = look_every
        self._pause = pause
        self._limit = limit
        # Their log lines contain whole addresses, and a webhook's is a secret.
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)

    async def run(self) -> None:
        """Send new alerts, every `look_every` in seconds, until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=self._limit) as client:
            while True:
                try:
                    while (news := await self._ledger.take_alert(self._share, PICTURES)) is not None:
                        await self._send(client, build_alert(news, time.time()))
                except StoreUnavailableError:
                    pass  # the heartbeat logs it
                await asyncio.sleep(self._look_every)

    async def _send(self, client: httpx.AsyncClient, alert: Alert) -> None:
        """Send an alert within a few tries. One that can't be sent is logged and dropped."""
        failure = ""
        for left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(self._limit):
                    failure = await self._try(client, alert)
            except Exception as error:  # noqa: BLE001 - a foreign webhook may fail in any way
                failure = type(error).__name__
            if not failure:
                _LOG.info("alert sent", alert=alert.event, account=alert.account)
                return
            await asyncio.sleep(self._pause if left else 0)
        _LOG.warning("could not send an alert", alert=alert.event, account=alert.account, cause=failure)

    async def _try(self, client: httpx.AsyncClient, alert: Alert) -> str:
        """Post the alert, and return the failure; empty if there was none. The response's body is ignored."""
        async with client.stream("POST", self._webhook, json=asdict(alert)) as response:
            return "" if response.is_success else f"HTTP {response.status_code}"
