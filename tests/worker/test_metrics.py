"""The metrics of a worker, as Prometheus scrapes them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.conditions import SOON, until
from tests.support.processes import answers, process, wait_until, write_accounts
from tests.support.worker.harness import ACCOUNTS, Away, Client, Held, HookedStore, settings_with
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import Ask, Pictures, Play, ScriptedProvider, echo
from wire.jobs import Jobs, new_token
from wire.ledger import AccountRecord, AccountSlot, AccountStatus, Ledger
from wire.messages import Image, Usage
from wire.reasons import Reason
from worker import metrics
from worker.accounts.account import CookieAccount
from worker.accounts.pool import REFRESH_INTERVAL
from worker.errors import UpstreamError
from worker.providers import ChatUpdate, Completion, Snapshot
from worker.service import open_worker
from worker.settings import WorkerSettings
from worker.worker import Worker

pytestmark = pytest.mark.anyio

GAUGES = ("bing_slots_used", "bing_leases")


class ForeignError(UpstreamError):
    """A reason that only somebody's own provider knows."""

    message = "no luck"

    def __init__(self) -> None:
        Exception.__init__(self, "no luck")
        self.reason, self.detail, self.refused = "luck.none", "", False


async def scraped(address: str) -> dict[str, float]:
    """Each series with its value."""
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(address)).text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def turns(metrics: dict[str, float]) -> dict[tuple[str, str], float]:
    """Return the turns by outcome and reason."""
    counts = {}
    for name, value in metrics.items():
        if name.startswith("bing_turns_total{"):
            # Labels come in the order of the alphabet, and the scripted provider has no name.
            _, outcome, _, provider, _, reason, _ = name.split('"')
            assert provider == ""
            counts[outcome, reason] = value
    return counts


@asynccontextmanager
async def scraping(
    client: Client,
    play: Play = echo,
    pictures: Pictures | None = None,
    refresh_every: float = REFRESH_INTERVAL,
    **changed: float,
) -> AsyncIterator[tuple[Worker, str]]:
    """Run a worker, and yield it with the address of its metrics."""
    async with (
        serving(client.store, ScriptedProvider(play=play), pictures, refresh_every=refresh_every, **changed) as worker,
        metrics.serve_metrics(worker, "127.0.0.1", 0) as address,
    ):
        yield worker, address


def failing(error: Exception) -> Play:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        yield Snapshot("a")
        raise error

    return play


async def held(ask: Ask) -> AsyncIterator[ChatUpdate]:
    """Never ends by itself."""
    await ask.send()
    yield Snapshot("a")
    await asyncio.Event().wait()


async def test_a_turn_shows_while_it_runs_and_a_token_until_it_is_released(client: Client) -> None:
    async with scraping(client, held, idle_release=0.1) as (_, address):
        metrics = await scraped(address)
        assert [metrics[name] for name in ("bing_slots", *GAUGES)] == [4, 0, 0]
        answer = await client.ask("one")
        await until(lambda: "append" in client.store.calls)
        metrics = await scraped(address)
        assert [metrics[name] for name in GAUGES] == [1, 1]
        await Jobs(client.store, client.limits).stop(answer)

        async def at_rest() -> bool:
            metrics = await scraped(address)
            return [metrics[name] for name in GAUGES] == [0, 0]

        await until(at_rest)
        assert turns(await scraped(address)) == {("stopped", ""): 1}


async def test_a_token_without_a_turn_is_held(client: Client) -> None:
    async with scraping(client) as (_, address):
        await client.text(await client.ask("one"))

        async def idle() -> bool:
            metrics = await scraped(address)
            return [metrics[name] for name in GAUGES] == [0, 1]

        await until(idle)
        assert turns(await scraped(address)) == {("done", ""): 1}


async def test_a_token_is_held_until_its_turn_is_written(client: Client) -> None:
    writing = Held()
    client.store.before["finish"] = writing
    async with scraping(client) as (_, address):
        answer = await client.ask("one")
        await writing.waiting.wait()
        assert (await scraped(address))["bing_leases"] == 1
        writing.go.set()
        await client.text(answer)


async def test_a_pictures_token_is_not_held(client: Client) -> None:
    async with scraping(client, pictures=Pictures([("https://example.com/1",)])) as (_, address):
        await client.end(await client.submit(Image("cat"), new_token()))

        async def at_rest() -> bool:
            metrics = await scraped(address)
            return [metrics[name] for name in GAUGES] == [0, 0]

        await until(at_rest)
        assert turns(await scraped(address)) == {("done", ""): 1}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UpstreamError(Reason.TRANSPORT_CLOSED), "transport.closed"),
        (UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True), "account.throttled"),
        (RuntimeError("a fault of somebody's own provider"), "upstream.protocol"),
        (ForeignError(), "other"),
    ],
)
async def test_failures_are_counted_by_their_reason(client: Client, error: Exception, reason: str) -> None:
    async with scraping(client, failing(error)) as (_, address):
        await client.end(await client.ask("one"))
        assert turns(await scraped(address)) == {("failed", reason): 1}


async def test_a_turn_that_a_drain_cuts_off_is_interrupted(client: Client) -> None:
    async with scraping(client, held, drain_timeout=0.1) as (worker, address):
        answer = await client.ask("one")
        await until(lambda: "append" in client.store.calls)
        worker.drain()
        await client.end(answer)
        assert turns(await scraped(address)) == {("failed", "interrupted"): 1}


async def test_the_heartbeats_age_grows_while_redis_is_away(client: Client) -> None:
    async with scraping(client, lease_ttl=1.0) as (_, address):
        await until(lambda: "beat" in client.store.calls)
        assert (await scraped(address))["bing_heartbeat_age_seconds"] < SOON
        client.store.before["beat"] = Away()

        async def old() -> bool:
            return (await scraped(address))["bing_heartbeat_age_seconds"] > 0.5  # it beats every sixth of a second

        await until(old)
        del client.store.before["beat"]

        async def young() -> bool:
            return not await old()

        await until(young)


async def test_before_the_first_heartbeat_its_age_has_no_end(client: Client) -> None:
    settings = settings_with(provider="tests.support.worker.scripted_provider:ScriptedProvider")
    async with (
        open_worker(settings, client.store, ACCOUNTS) as worker,
        metrics.serve_metrics(worker, "127.0.0.1", 0) as address,
    ):
        assert (await scraped(address))["bing_heartbeat_age_seconds"] == float("inf")


async def test_how_long_questions_waited_is_reported_once_for_each(client: Client) -> None:
    token = new_token()
    for question in ("one", "two"):
        answer = await client.ask(question, token)
    async with scraping(client) as (_, address):
        await client.text(answer)
        metrics = await scraped(address)
    assert metrics["bing_queue_wait_seconds_count"] == 2
    assert 0 < metrics["bing_queue_wait_seconds_sum"] < 2 * SOON


async def test_tasks_and_the_process_are_reported(client: Client) -> None:
    async with scraping(client) as (_, address):
        metrics = await scraped(address)
        for name in (
            "bing_asyncio_tasks",
            "process_open_fds",
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
        ):
            assert metrics[name] > 0


def of(account: str, metrics: dict[str, float]) -> dict[str, float]:
    """Each series of an account, by its name and its other label."""
    series = {}
    for name, value in metrics.items():
        if match := re.fullmatch(rf'bing_account_(\w+){{account="{account}"(?:,\w+="(.*)")?}}', name):
            series[".".join(filter(None, match.groups()))] = value
    return series


STATES = ("ready", "cooling", "quarantined", "dead", "paused")
AT_REST = {
    **{f"state.{state}": 0.0 for state in STATES},
    "turns_today": 0.0,
    "in_flight": 0.0,
    "cooling_until_seconds": 0.0,
    "cookie_expires_seconds": 0.0,
}


async def scraped_until(address: str, condition: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Return the first scrape that holds."""
    metrics: dict[str, float] = {}

    async def holds() -> bool:
        metrics.clear()
        metrics.update(await scraped(address))
        return condition(metrics)

    await until(holds)
    return metrics


# Seconds between two looks at the accounts' states: all the time.
AT_ONCE = 0.02


async def test_accounts_show_as_all_workers_know_them(client: Client) -> None:
    ledger = Ledger(client.store)
    async with scraping(client, held, refresh_every=AT_ONCE) as (_, address):
        metrics = await scraped_until(address, lambda metrics: bool(of("b", metrics)))
        for account in ("a", "b", "a/images", "b/images"):
            assert of(account, metrics) == {**AT_REST, "state.ready": 1}
        answer = await client.ask("one")
        metrics = await scraped_until(address, lambda metrics: of("a", metrics)["in_flight"] == 1)
        slot = AccountSlot("elsewhere", 1, "other worker")
        assert (await ledger.reserve(slot, {"b": 0}, 60)).account == "b"
        print_ = ACCOUNTS[1].fingerprint
        change = await ledger.record("b", slot, print_, "cooling", "account.throttled", sent=True, pause=60)
        await ledger.execute_order("b", "pause")
        await Jobs(client.store, client.limits).stop(answer)
        metrics = await scraped_until(address, lambda metrics: of("b", metrics)["state.paused"] == 1)
        assert of("b", metrics) == {
            **AT_REST,
            "state.cooling": 1,
            "state.paused": 1,
            "turns_today": 1,
            "cooling_until_seconds": change.until / 1000,
            "failures_total.account.throttled": 1,
        }


async def test_an_accounts_cookie_reports_when_it_expires(client: Client) -> None:
    async with scraping(client, refresh_every=AT_ONCE) as (served, address):
        await served._upstream.pool.replace([CookieAccount("a", {"_U": "a"}, expires=1_900_000_000.5)])
        metrics = await scraped_until(address, lambda metrics: of("a", metrics).get("cookie_expires_seconds", 0) > 0)
        assert of("a", metrics)["cookie_expires_seconds"] == 1_900_000_000


async def test_an_account_that_this_worker_does_not_have_is_not_shown(client: Client) -> None:
    await Ledger(client.store).announce(AccountRecord("elsewhere", "print"), AccountStatus("elsewhere"))
    async with scraping(client, refresh_every=AT_ONCE) as (served, address):
        await scraped_until(address, lambda metrics: bool(of("a", metrics)))
        assert not of("elsewhere", await scraped(address))
        await served._upstream.pool.replace(ACCOUNTS[1:])
        assert not of("a", await scraped(address))


async def test_it_ends_with_the_worker_whoever_is_connected(store: HookedStore) -> None:
    settings = settings_with(provider="tests.support.worker.scripted_provider:ScriptedProvider", metrics_port=0)
    before = asyncio.all_tasks()
    with capture_logs() as logs:
        async with open_worker(settings, store, ACCOUNTS):
            (address,) = [line["address"] for line in logs if line["event"] == "serving metrics"]
            port = int(re.findall(r"127\.0\.0\.1:(\d+)/metrics", address)[0])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await scraped(address))["bing_slots"] == 4
    async with asyncio.timeout(SOON):
        assert await reader.read() == b""
    writer.close()
    assert asyncio.all_tasks() == before
    with pytest.raises(OSError, match=r"refused|failed"):
        await asyncio.open_connection("127.0.0.1", port)


async def test_without_a_port_nothing_is_served(store: HookedStore) -> None:
    assert WorkerSettings().metrics_port is None
    with capture_logs() as logs:
        async with open_worker(
            settings_with(provider="tests.support.worker.scripted_provider:ScriptedProvider"), store, ACCOUNTS
        ):
            assert logs == []


def test_only_this_machine_is_served_by_default() -> None:
    assert WorkerSettings().metrics_host == "127.0.0.1"


async def test_a_port_that_is_taken_is_one_sentence(client: Client) -> None:
    async with scraping(client) as (worker, address):
        port = int(address.removesuffix("/metrics").rpartition(":")[2])
        with pytest.raises(ValueError, match=r"^METRICS_PORT can't be served: [^\n]*address already in use$"):
            async with metrics.serve_metrics(worker, "127.0.0.1", port):
                pass


def test_a_process_serves_them_until_it_ends(tmp_path: Path, valkey_url: str) -> None:
    log = tmp_path / "log"
    write_accounts(tmp_path / "cookies", "one")
    environment = {"REDIS_URL": valkey_url, "COOKIES_DIR": str(tmp_path / "cookies"), "LOG_FORMAT": "json"}

    def address() -> str | None:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return next((line["address"] for line in lines if line["event"] == "serving metrics"), None)

    with process("worker", log, METRICS_PORT="0", **environment) as started:
        served = wait_until(address, "its address is logged")
        assert answers(served)
        started.terminate()
        assert started.wait(10) == 0
    assert not answers(served)


async def test_tokens_are_counted_by_account_model_and_kind(client: Client) -> None:
    async def counting(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        yield Completion("done", b"", usage=Usage(10, 4, cached=6), model="m")

    async with scraping(client, counting) as (worker, address):
        await client.text(await client.ask("one"))
        await until(lambda: bool(worker.token_tally.kinds))
        metrics = await scraped(address)
    counted = {name: value for name, value in metrics.items() if name.startswith("bing_tokens_total")}
    (account,) = {name.split('"')[1] for name in counted}
    assert counted == {
        f'bing_tokens_total{{account="{account}",kind="{kind}",model="m"}}': amount
        for kind, amount in (("input", 10), ("cached", 6), ("output", 4))
    }
    assert worker.token_tally.totals == {"tokens:model:m": 14, f"tokens:account:{account}": 14}
