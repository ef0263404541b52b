"""Alerts: what an operator should hear of the accounts, sent to a webhook."""

import asyncio
import logging
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import httpx
import structlog

from wire.errors import StoreUnavailableError
from wire.ledger import PICTURES, AccountAlert, Ledger

_LOG = structlog.get_logger()
# How often an alert is sent when that fails, the pauses between, and the limit of each try, in seconds.
_TRIES = 3
_PAUSE = 1.0
_TRY_LIMIT = 5.0


@dataclass(frozen=True)
class Alert:
    """The JSON that is sent. `ready` of the `accounts` are; `until`: when the first of the others returns by itself."""

    event: str
    account: str | None
    state: str | None
    reason: str | None
    until: str | None
    ready: int
    accounts: int
    time: str


def build_alert(news: AccountAlert, now: float) -> Alert:
    """What is sent of this, at `now` (Unix s)."""
    until = _moment(news.returns / 1000) if news.few and news.returns else None
    return Alert(_event(news), news.account, news.state, news.reason, until, news.ready, news.accounts, _moment(now))


def _event(news: AccountAlert) -> str:
    if news.account is not None:
        return f"account.{news.state}"
    return "accounts.few" if news.few else "accounts.enough"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class AlertSender:
    """Each thing that an operator should hear of is sent once, by one of the workers."""

    def __init__(
        self,
        webhook: str,
        share: float,
        ledger: Ledger,
        *,
        look_every: float,
        pause: float = _PAUSE,
        limit: float = _TRY_LIMIT,
    ) -> None:
        self._webhook = webhook
        self._share = share
        self._ledger = ledger
        self._look_every = look_every
        self._pause = pause
        self._limit = limit
        # Its log lines hold whole addresses, and a webhook's is a secret.
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)

    async def run(self) -> None:
        """Look for news for ever, every `look_every` in seconds."""
        async with httpx.AsyncClient(trust_env=False, timeout=self._limit) as client:
            while True:
                try:
                    while (news := await self._ledger.take_alert(self._share, PICTURES)) is not None:
                        await self._send(client, build_alert(news, time.time()))
                except StoreUnavailableError:
                    pass  # the heartbeat tells of it
                await asyncio.sleep(self._look_every)

    async def _send(self, client: httpx.AsyncClient, news: Alert) -> None:
        """Send it, within a few tries. What can't be sent is logged and given up: it harms nothing else."""
        failure = ""
        for left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(self._limit):
                    failure = await self._try(client, news)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with somebody's webhook
                failure = type(error).__name__
            if not failure:
                _LOG.info("alert sent", alert=news.event, account=news.account)
                return
            await asyncio.sleep(self._pause if left else 0)
        _LOG.warning("an alert could not be sent", alert=news.event, account=news.account, cause=failure)

    async def _try(self, client: httpx.AsyncClient, news: Alert) -> str:
        """What went wrong; empty if nothing did. The response's body is of no interest."""
        async with client.stream("POST", self._webhook, json=asdict(news)) as response:
            return "" if response.is_success else f"HTTP {response.status_code}"
