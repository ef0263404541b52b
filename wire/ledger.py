"""The account ledger: the accounts' states, shared by all workers. It has a hash tag of its own."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Literal, cast

import msgspec

from wire import keys
from wire.model_table import ModelTable, Offer, OfferedAccount, build_table
from wire.redis.replies import hash_fields, scores
from wire.redis.store import Store
from wire.scripts import encode_arguments

AccountState = Literal["ready", "cooling", "quarantined", "dead"]
# The outcome of a turn for its account: `none` changes nothing, and `noted` only where its client is asked next.
TurnOutcome = Literal[
    "ok", "cooling", "quarantined", "dead", "trouble", "internal", "refused", "doubted", "noted", "none"
]
Order = Literal["pause", "resume", "release", "reset"]
DisplayState = Literal["ready", "cooling", "quarantined", "dead", "paused"]
# Pictures have quotas and failures of their own, and so an entry of their own: the account's name and this suffix.
PICTURES = "/images"
STATES: tuple[DisplayState, ...] = ("ready", "cooling", "quarantined", "dead", "paused")

# How long an account is kept that no worker has any more.
_KEPT_MS = 7 * 24 * 3600 * 1000
_DAY_MS = 24 * 3600 * 1000
# For how long after its last announcement an account counts as one that a worker has.
_PRESENT_MS = 15 * 1000
# For how long a worker may ask a server for its list of models before another one does.
_LISTING_MS = 20 * 1000
# Bytes; a cookie export is far smaller.
_LARGEST_EXPORT = 1024 * 1024
_FAILED = "failed:"
# What a worker repeats of an account's last state, should the ledger know nothing of it.
_LAST = ("state", "until", "reason", "failures", "turns_today", "paused", "since")


@dataclass(frozen=True)
class AccountStatus:
    """An account's state. Times are in Unix milliseconds, 0 for never; `failures` counts those in a row.

    `paused`: an operator keeps it from new turns. `since`: when that or the state changed last, a number that no two
    changes share. `weight`, `turns` (the bound of turns in flight, 0 for none), `daily` (0 for unknown) and `expires`
    (Unix seconds, 0 for unknown) are what its workers announced, last at `seen`; so is `provider` ('' for unknown).
    """

    name: str
    state: AccountState = "ready"
    until: int = 0
    reason: str = ""
    paused: bool = False
    since: int = 0
    failures: int = 0
    turns_today: int = 0
    in_flight: int = 0
    succeeded: int = 0
    failed: int = 0
    weight: float = 1.0
    turns: int = 0
    daily: int = 0
    expires: int = 0
    seen: int = 0
    provider: str = ""
    failures_by_reason: tuple[tuple[str, int], ...] = ()

    @property
    def display_state(self) -> DisplayState:
        """The state as it is displayed."""
        return "paused" if self.paused else self.state


@dataclass(frozen=True)
class AccountRecord:
    """An account as a worker announces it; see AccountStatus. `version`: see wire.model_table.OfferedAccount."""

    name: str
    fingerprint: str
    weight: float = 1.0
    turns: int = 0
    daily: int = 0
    expires: int = 0
    provider: str = ""
    offer: Offer | None = None
    version: int = 0


class NoCapacity(msgspec.Struct, frozen=True):
    """The reply when no account has room. `busy`: the end of a turn makes some; `shared`: there is some for others.

    `returns`: in how many ms the first one returns, -1 if none does by itself; `reason`: why that one is away.
    """

    busy: bool
    returns: int
    reason: str
    shared: bool = False


class AccountChange(msgspec.Struct, frozen=True):
    """A turn's effect on its account: the state before and now, until when it cools and since when (Unix ms)."""

    before: AccountState
    state: AccountState
    until: int
    since: int


class AccountAlert(msgspec.Struct, frozen=True):
    """An alert to operators: `account` waits for a person, or (`few` True, or False again) too few are ready.

    `ready` of the `accounts` that aren't paused are; the first of the others returns at `returns` (Unix ms, 0: none).
    """

    ready: int
    accounts: int
    returns: int
    account: str | None = None
    state: AccountState | None = None
    reason: str | None = None
    few: bool | None = None


class ReserveReply(msgspec.Struct, frozen=True):
    """The reply to a reservation: `account`, or None and what NoCapacity has.

    `room`: how many more turns the counted accounts can take now; None if all of them are away, so that a turn doesn't
    wait for a place.
    """

    account: str | None = None
    busy: bool = False
    returns: int = -1
    reason: str = ""
    shared: bool = False
    room: int | None = None

    @property
    def outcome(self) -> str | NoCapacity:
        """The account's name, or why there is none."""
        return NoCapacity(self.busy, self.returns, self.reason, self.shared) if self.account is None else self.account


@dataclass(frozen=True)
class AccountSlot:
    """A turn in flight: one attempt of one job, by one worker, for a client ('' where it doesn't count)."""

    answer: str
    attempt: int
    worker: str
    client: str = ""

    def __str__(self) -> str:
        whose = blake2b(self.client.encode(), digest_size=6).hexdigest() if self.client else ""
        return f"{self.answer}:{self.attempt}:{whose}:{self.worker}"


class Ledger:
    """The ledger. All calls are atomic and may be repeated; all may raise StoreUnavailableError."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._prefix = keys.prefix(keys.LEDGER)

    async def announce(self, account: AccountRecord, last: AccountStatus, worker: str = "") -> bool:
        """Announce that `worker` has the account, with the `last` state known, in case Redis has lost it.

        Returns whether its cookie was replaced, which makes it ready again. An offer from an older file than another
        worker's is left out.
        """
        replaced = await self._store.run(
            "announce",
            keys.account_key(account.name),
            self._prefix,
            encode_arguments(
                account=account.name,
                fingerprint=account.fingerprint,
                weight=account.weight,
                turns=account.turns,
                daily=account.daily,
                expires=account.expires,
                provider=account.provider,
                offer=None if account.offer is None else msgspec.json.encode(account.offer).decode(),
                version=account.version,
                worker=worker,
                ttl=_KEPT_MS,
                last={name: getattr(last, name) for name in _LAST},
            ),
        )
        return bool(replaced)

    async def reserve(
        self,
        slot: AccountSlot,
        ranks: Mapping[str, int],
        hold: float,
        others: Collection[str] = (),
        *,
        preferred: str = "",
        patient: bool = False,
        client: str = "",
        weight: int = 1,
        avoids: bool = False,
        waited: float = 0.0,
        counted: Collection[str] = (),
        enough: int = 0,
    ) -> ReserveReply:
        """Reserve a slot of the account with the most room among those of the lowest rank that have any.

        Returns the account's name. The slot is held for `hold` seconds at most. If none has room, the
        return of `others` counts too. The `preferred` one is taken if it has room and doesn't run more than its share
        of the turns; `patient`: while it has none there is none elsewhere either. An account where questions of the
        `client` have failed lately comes after all others, whatever its rank; `avoids`: it isn't taken at all. The
        turn has looked for `waited` seconds; one that came a second later doesn't overtake it. The slot's client, of
        this `weight`, gets none while it has its share of the choices, whose room is for others. The room at the
        `counted` accounts is returned too, up to `enough`.
        """
        reply = await self._store.run(
            "reserve",
            keys.accounts_key(),
            self._prefix,
            encode_arguments(
                slot=str(slot),
                hold=int(hold * 1000),
                choices=sorted(ranks.items()),
                others=sorted(others),
                preferred=preferred if preferred in ranks else "",
                patient=patient,
                client=client,
                weight=weight,
                avoids=avoids,
                waited=int(waited * 1000),
                counted=sorted(counted),
                enough=enough,
            ),
        )
        return msgspec.json.decode(reply, type=ReserveReply)

    async def read_room(self, counted: Collection[str], enough: int) -> int | None:
        """Return how many more turns the accounts can take now, up to `enough`; see ReserveReply."""
        reply = await self.reserve(AccountSlot("", 0, ""), {}, 0, counted=counted, enough=enough)
        return reply.room

    async def record(
        self,
        name: str,
        slot: AccountSlot,
        fingerprint: str,
        outcome: TurnOutcome,
        reason: str = "",
        *,
        sent: bool,
        pause: float,
        client: str = "",
    ) -> AccountChange:
        """Free the slot, and apply its turn's outcome to the account.

        `pause` is in seconds. `client` is whose question it was, if the failure may follow from the question: then it
        counts once, and only after another client's failed for the same reason (two others', if it is `doubted`).
        """
        reply = await self._store.run(
            "record",
            keys.account_key(name),
            self._prefix,
            encode_arguments(
                account=name,
                slot=str(slot),
                sent=sent,
                fingerprint=fingerprint,
                outcome=outcome,
                reason=reason,
                pause=int(pause * 1000),
                client=client,
            ),
        )
        return msgspec.json.decode(reply, type=AccountChange)

    async def schedule_trial(self, name: str, delay: float) -> None:
        """Let a turn try the account again in `delay` seconds at the latest, if it is dead."""
        await self._store.run("trial", keys.account_key(name), self._prefix, int(delay * 1000))

    async def free_slots(self, worker: str) -> None:
        """Free all slots that a worker holds: a dead one, or one that leaves."""
        await self._store.run("vacate", keys.accounts_key(), self._prefix, worker)

    async def execute_order(self, name: str, order: Order, by: str = "") -> AccountState | None:
        """Execute an order of the operator `by`; return the state before, None if there is no such account."""
        before = await self._store.run("order", keys.account_key(name), self._prefix, name, order, by)
        return None if before is None else cast(AccountState, before.decode())

    async def take_alert(self, share: float, excluded: str) -> AccountAlert | None:
        """Take the next alert, which only one caller gets; None if there is none.

        `share` of the accounts should be ready; those whose names end with `excluded` don't count for it.
        """
        reply = await self._store.run("news", keys.accounts_key(), self._prefix, share, excluded)
        return None if reply is None else msgspec.json.decode(reply, type=AccountAlert)

    async def submit_export(self, name: str, export: bytes, ttl: float = 60.0, by: str = "") -> bool:
        """Keep a cookie export for `ttl` seconds, for a worker to take; return False if too many wait.

        `by`: the operator who submits it. ValueError if it is too large.
        """
        if len(export) > _LARGEST_EXPORT:
            raise ValueError(f"an export has {_LARGEST_EXPORT} bytes at most")
        accepted = await self._store.run(
            "hand_in", keys.handed_in_key(), self._prefix, name, export, int(ttl * 1000), by
        )
        return bool(accepted)

    async def take_export(self) -> tuple[str, bytes] | None:
        """Take a submitted export: its name and bytes. No other worker gets it, so that a lost reply loses it."""
        reply = await self._store.run("take_handed_in", keys.handed_in_key(), self._prefix)
        return None if reply is None else (reply[0].decode(), reply[1])

    async def read_statuses(self) -> list[AccountStatus]:
        """Return the states of all known accounts, by name."""
        now = await self._store.read_time(keys.LEDGER)
        accounts = scores(await self._store.execute("ZRANGE", keys.accounts_key(), 0, -1, "WITHSCORES"))
        commands = (
            (
                ("HGETALL", keys.account_key(name)),
                ("ZCOUNT", keys.flight_key(name), now, "+inf"),
                ("ZCOUNT", keys.spent_key(name), now - _DAY_MS, "+inf"),
            )
            for name in accounts
        )
        replies = await self._store.execute_all(chain.from_iterable(commands))
        rows = zip(accounts.items(), replies[::3], replies[1::3], replies[2::3], strict=True)
        return sorted(
            (
                _status(name, int(at), hash_fields(fields), in_flight, turns_today)
                for (name, at), fields, in_flight, turns_today in rows
                if fields
            ),
            key=lambda status: status.name,
        )

    async def read_models(self) -> ModelTable:
        """Return the table of models of all accounts that were announced within a day."""
        now = await self._store.read_time(keys.LEDGER)
        accounts = await self._store.execute(
            "ZRANGE", keys.accounts_key(), now - _DAY_MS, "+inf", "BYSCORE", "WITHSCORES"
        )
        seen = {name: int(at) for name, at in scores(accounts).items() if not name.endswith(PICTURES)}
        commands = ((("HMGET", keys.account_key(name), *_OFFER), ("GET", keys.listed_key(name))) for name in seen)
        replies = await self._store.execute_all(chain.from_iterable(commands))
        rows = zip(seen.items(), replies[::2], replies[1::2], strict=True)
        return build_table(_offered(name, now - at, now, fields, listed) for (name, at), fields, listed in rows)

    async def claim_listing(self, name: str, worker: str) -> bool:
        """Return whether `worker` is the one to ask the account's server for its list of models now."""
        return bool(await self._store.execute("SET", keys.listing_key(name), worker, "NX", "PX", _LISTING_MS))

    async def keep_listed(self, name: str, models: Iterable[str], every: float) -> None:
        """Keep the list of models that the account's server has, and ask for it again in `every` seconds."""
        await self._store.execute_all(
            [
                ("SET", keys.listed_key(name), msgspec.json.encode(sorted(models)), "PX", _KEPT_MS),
                ("SET", keys.listing_key(name), b"", "PX", int(every * 1000)),
            ]
        )


# What `announce` keeps of an offer.
_OFFER = ("provider", "offer", "offered", "offer_version", "disputed")


def _offered(name: str, silence: int, now: int, fields: list[bytes | None], listed: bytes | None) -> OfferedAccount:
    """Return what an account offers that was announced `silence` ms ago; nothing by a worker of the version before."""
    provider, offer, offered, version, disputed = (field or b"" for field in fields)
    present = silence < _PRESENT_MS
    if not offer or (present and now - float(offered) >= _PRESENT_MS):
        return OfferedAccount(name, provider.decode(), None, present)
    return OfferedAccount(
        name,
        provider.decode(),
        msgspec.json.decode(offer, type=Offer),
        present,
        int(float(version)),
        now - float(disputed or 0) < _PRESENT_MS,
        msgspec.json.decode(listed, type=tuple[str, ...]) if listed else (),
    )


def _status(name: str, seen: int, fields: dict[bytes, bytes], in_flight: int, turns_today: int) -> AccountStatus:
    text = {key.decode(): value.decode() for key, value in fields.items()}

    def number(field: str) -> int:
        return int(float(text.get(field, "0")))

    return AccountStatus(
        name=name,
        state=cast(AccountState, text["state"]),
        until=number("until"),
        reason=text.get("reason", ""),
        paused="paused" in text,
        since=number("since"),
        failures=number("failures"),
        turns_today=turns_today,
        in_flight=in_flight,
        succeeded=number("succeeded"),
        failed=number("failed"),
        weight=float(text.get("weight", "1")),
        turns=number("turns"),
        daily=number("daily"),
        expires=number("expires"),
        seen=seen,
        provider=text.get("provider", ""),
        failures_by_reason=_by_reason(text.items()),
    )


def _by_reason(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((key.removeprefix(_FAILED), int(value)) for key, value in fields if key.startswith(_FAILED)))
