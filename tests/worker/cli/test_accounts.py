"""`python -m worker accounts`: the commands on a real server, against the emulator as a process."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from typer.testing import CliRunner, Result

from tests.support.conditions import until
from tests.support.processes import ROOT, answers, free_port, process, run_to_end, wait_until, write_accounts
from tests.support.worker.harness import Client, HookedStore
from wire.answers import Answers
from wire.ledger import AccountRecord, AccountSlot, AccountStatus, Ledger, TurnOutcome
from wire.messages import Failed
from wire.redis.store import Store
from worker.accounts.account import Account, CookieAccount
from worker.accounts.directory import load_accounts
from worker.cli.accounts import app
from worker.providers import require_cookies

SECRET = "planted-secret"
ORDERS = ("pause", "resume", "release", "reset")


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Restore the logging that a command configures for its process."""
    yield
    structlog.reset_defaults()


@dataclass
class Terminal:
    """Where an operator types commands; and the ledger that they work on."""

    environment: dict[str, str]
    folder: Path

    def type(self, *arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=self.environment | environment)

    def read(self, *arguments: str) -> Any:
        """Return a command's JSON."""
        ended = self.type(*arguments, "--json")
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    def refused(self, *arguments: str, **environment: str) -> str:
        """Return the one sentence with which a command fails."""
        ended = self.type(*arguments, **environment)
        assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended.output
        return ended.stderr.strip()

    def announce(self, *accounts: Account) -> None:
        async def announced(ledger: Ledger) -> None:
            for account in accounts:
                for entry in (account.name, f"{account.name}/images"):
                    await ledger.announce(
                        AccountRecord(entry, account.fingerprint, turns=8, daily=200), AccountStatus(entry)
                    )

        asyncio.run(self._on_ledger(announced))

    def fall(self, entry: str, outcome: TurnOutcome, pause: float = 0.0) -> None:
        """Record the end of a turn of that account."""

        async def fallen(ledger: Ledger) -> None:
            slot = AccountSlot("one", 1, "w")
            assert (await ledger.reserve(slot, {entry: 0}, 60)).account == entry
            print_ = CookieAccount("", {"_U": entry.removesuffix("/images")}).fingerprint
            await ledger.record(entry, slot, print_, outcome, f"because.{outcome}", sent=True, pause=pause)

        asyncio.run(self._on_ledger(fallen))

    async def _on_ledger(self, work: Any) -> None:
        store = Store(self.environment["REDIS_URL"])
        await work(Ledger(store))
        await store.close()

    def state(self, entry: str) -> str:
        return next(str(account["state"]) for account in self.read("list") if account["account"] == entry)


@pytest.fixture
def terminal(tmp_path: Path, valkey_url: str) -> Terminal:
    """Two accounts that workers have announced."""
    write_accounts(tmp_path / "cookies", "alice", "bob")
    terminal = Terminal({"REDIS_URL": valkey_url, "COOKIES_DIR": str(tmp_path / "cookies")}, tmp_path / "cookies")
    terminal.announce(CookieAccount("alice", {"_U": "alice"}), CookieAccount("bob", {"_U": "bob"}))
    return terminal


@pytest.fixture
def emulator(tmp_path: Path, terminal: Terminal) -> Iterator[str]:
    """Run the emulator as a process, set the terminal's upstream to it, and yield its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    terminal.environment |= {
        "BING_CREATE_URL": f"{url}/turing/conversation/create",
        "BING_CHAT_URL": f"ws://127.0.0.1:{port}/sydney/ChatHub",
        "BING_IMAGE_URL": url,
    }
    with process("emulator", tmp_path / "emulator.log", EMULATOR_PORT=str(port), EMULATOR_PACE="0"):
        wait_until(lambda: answers(f"{url}/_health"), "the emulator is there")
        yield url


def script(emulator: str, **commands: Any) -> None:
    httpx.post(f"{emulator}/_script", json=commands).raise_for_status()


def creates(emulator: str) -> list[tuple[str, str]]:
    """Who began conversations there, and how that ended."""
    return [(account["account"], account["outcome"]) for account in httpx.get(f"{emulator}/_ledger").json()["creates"]]


def test_all_accounts_are_listed(terminal: Terminal) -> None:
    terminal.fall("bob", "cooling", 3600 + 60)
    ended = terminal.type("list")
    assert ended.exit_code == 0
    lines = {line.split()[0]: line for line in ended.stdout.splitlines()}
    assert list(lines) == ["ACCOUNT", "alice", "alice/images", "bob", "bob/images"]
    assert "cooling, returns in 1 h 1 min  because.cooling  1 of 200  0 of 8     1" in lines["bob"]
    listed = {account["account"]: account for account in terminal.read("list")}
    assert (listed["alice"]["state"], listed["bob"]["state"], listed["bob"]["turns_today"]) == ("ready", "cooling", 1)


def test_an_account_is_shown_with_its_pictures(terminal: Terminal) -> None:
    terminal.fall("alice/images", "quarantined")
    shown = terminal.type("show", "alice").stdout
    assert [line for line in shown.splitlines() if line and not line.startswith(" ")] == ["alice", "alice/images"]
    assert "because.quarantined" in shown
    assert [account["account"] for account in terminal.read("show", "alice")] == ["alice", "alice/images"]
    assert [account["account"] for account in terminal.read("show", "alice/images")] == ["alice/images"]


@pytest.mark.parametrize("command", ["show", *ORDERS])
def test_an_unknown_account_is_one_sentence(terminal: Terminal, command: str) -> None:
    assert terminal.refused(command, "carol") == "no worker has reported an account named 'carol'"
    assert terminal.refused(command, "carol", "--json") == "no worker has reported an account named 'carol'"


def test_orders_are_carried_out_and_reported(terminal: Terminal) -> None:
    terminal.fall("alice", "dead")
    terminal.fall("alice/images", "quarantined")
    shown = terminal.type("pause", "alice").stdout
    assert shown.splitlines() == [
        "alice: dead -> paused, and dead",
        "alice/images: quarantined -> paused, and quarantined",
    ]
    assert [account["paused"] for account in terminal.read("list")] == [True, True, False, False]
    assert terminal.type("resume", "alice/images").stdout == "alice/images: paused, and quarantined -> quarantined\n"
    assert [account["paused"] for account in terminal.read("resume", "alice")] == [False, False]
    assert terminal.type("release", "alice").stdout.splitlines() == [
        "alice: dead -> cooling, the next question tries it",
        "alice/images: quarantined -> cooling, the next question tries it",
    ]
    (alice, _) = terminal.read("reset", "alice")
    assert (alice["state"], alice["turns_today"], alice["failures_in_a_row"]) == ("ready", 0, 0)
    assert terminal.state("alice/images") == "ready"


@pytest.mark.parametrize(
    "wrong", [[], ["dance"], ["show"], ["add", "nowhere"], ["add", "."], ["list", "--colour"], ["pause", "a", "b"]]
)
def test_wrong_usage_ends_with_two(terminal: Terminal, wrong: list[str]) -> None:
    assert terminal.type(*wrong).exit_code == 2


@pytest.mark.parametrize("command", ["list", "show", "check", *ORDERS])
def test_a_redis_that_is_away_is_one_sentence(terminal: Terminal, command: str) -> None:
    away = f"redis://:{SECRET}@127.0.0.1:{free_port()}/0"
    shown = terminal.refused(command, *(["alice"] if command != "list" else []), REDIS_URL=away)
    assert shown.startswith("Redis is away: ")
    assert SECRET not in shown


@pytest.mark.parametrize("command", [["list"], ["add", "-"]])
def test_a_wrong_setting_is_one_sentence(terminal: Terminal, command: list[str]) -> None:
    ended = terminal.type(*command, ALERT_WEBHOOK=SECRET)
    assert ended.exit_code == 1
    assert ended.output.startswith("wrong setting: ALERT_WEBHOOK: ")
    assert SECRET not in ended.output


def test_an_export_is_added(terminal: Terminal, tmp_path: Path) -> None:
    write_accounts(tmp_path / "downloads", "alice")
    export = tmp_path / "downloads" / "alice.json"
    assert terminal.refused("add", str(export)) == "these are cookies of alice, which is there already"
    export.write_text(export.read_text().replace('"alice"', f'"{SECRET}"'))
    added = terminal.type("add", str(export))
    assert added.stdout == f"alice-2 was added: {terminal.folder / 'alice-2.json'}\n"
    export.write_text(export.read_text().replace(SECRET, SECRET * 2))
    assert terminal.read("add", str(export), "--name", "alice") == {
        "account": "alice",
        "file": str(terminal.folder / "alice.json"),
        "replaced": True,
    }
    accounts = {
        account.name: require_cookies(account).cookies["_U"] for account in load_accounts(terminal.folder).accounts
    }
    assert accounts == {"alice": SECRET * 2, "alice-2": SECRET, "bob": "bob"}
    export.write_text("[]")
    assert terminal.refused("add", str(export)).startswith("alice.json has no _U cookie")


def test_a_servers_name_is_refused_in_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    write_accounts(tmp_path / "downloads", "carol")
    export, key = tmp_path / "downloads" / "carol.json", terminal.folder / "vendor.key"
    key.write_text(SECRET)
    config = '[accounts.local]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\napi_key_file = "vendor.key"\n'
    (terminal.folder / "accounts.toml").write_text(config)
    at_server = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "m"}
    for name, holder in [("local", "a server"), ("vendor", "the key file vendor.key"), ("openai", "a server")]:
        sentence = terminal.refused("add", str(export), "--name", name, **at_server)
        assert sentence == f"{name} is the name of {holder}: give the account another one"
    assert key.read_text() == SECRET


@pytest.mark.parametrize(("arguments", "name"), [([], "account"), (["--name", "carol"], "carol")])
def test_an_export_is_added_from_standard_input(terminal: Terminal, arguments: list[str], name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "worker", "accounts", "add", "-", *arguments],
        cwd=ROOT,
        env=terminal.environment,
        input=b'[{"name": "_U", "value": "planted-secret"}]',
        capture_output=True,
        timeout=20,
        check=True,
    )
    assert ended.stdout.decode() == f"{name} was added: {terminal.folder / f'{name}.json'}\n"
    assert ended.stderr == b""


@pytest.mark.usefixtures("emulator")
def test_an_account_that_is_well_is_shown_so_and_stays_as_it_is(terminal: Terminal, emulator: str) -> None:
    ended = terminal.type("check", "alice")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout == "alice works: it was not refused; it stays ready\n"
    terminal.fall("alice", "quarantined")
    assert terminal.read("check", "alice") == {
        "account": "alice",
        "ok": True,
        "reason": None,
        "state": "quarantined",
    }
    assert creates(emulator) == [("alice", "success")] * 2


@pytest.mark.parametrize(
    ("outcome", "reason", "state"),
    [
        ("unauthorized-login", "account.unauthorized", "dead"),
        ("http-403", "account.unauthorized", "dead"),
        ("http-429", "account.throttled", "cooling"),
    ],
)
def test_a_refusal_is_reported_and_counts(
    terminal: Terminal, emulator: str, outcome: str, reason: str, state: str
) -> None:
    script(emulator, account="alice", create={"outcome": outcome})
    ended = terminal.type("check", "alice")
    assert ended.exit_code == 1
    assert ended.stdout == f"alice was refused: {reason}; it is now {state}\n"
    assert terminal.state("alice") == state
    assert terminal.state("bob") == "ready"


def test_an_upstream_that_fails_is_reported_and_proves_nothing(terminal: Terminal, emulator: str) -> None:
    script(emulator, account="*", create={"outcome": "http-500"})
    ended = terminal.type("check", "alice", "--json")
    assert ended.exit_code == 1
    shown = json.loads(ended.stdout)
    assert (shown["ok"], shown["reason"], shown["state"]) == (False, "upstream.internal", "ready")


def test_an_account_without_usable_cookies_here_is_one_sentence(terminal: Terminal) -> None:
    assert terminal.refused("check", "carol") == f"{terminal.folder} holds no account named 'carol' that can be used"
    (terminal.folder / "carol.json").write_text("")
    assert terminal.refused("check", "carol").endswith("that can be used; carol.json is empty")


def test_nothing_that_is_said_holds_a_secret(
    terminal: Terminal, emulator: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    export = tmp_path / "secret.json"
    export.write_text(f'[{{"name": "_U", "value": "{SECRET}"}}, {{"name": "MUID", "value": "{SECRET}-2"}}]')
    printed = terminal.type("add", str(export)).output
    terminal.announce(CookieAccount("secret", {"_U": SECRET}))
    commands = [["list"], *([command, "secret"] for command in ("show", "check", *ORDERS))]
    for outcome in ("success", "forbidden", "reset", "redirect-loop", "bad-json"):
        script(emulator, account=SECRET, create={"outcome": outcome, "times": 1})
        for command in commands:
            for form in ([], ["--json"]):
                ended = terminal.type(*command, *form, ALERT_WEBHOOK=f"http://127.0.0.1/{SECRET}")
                assert isinstance(ended.exception, SystemExit | None)
                printed += ended.output
    printed += terminal.type("add", str(export)).output
    assert ("add" in printed, "secret works" in printed, "secret was refused" in printed) == (True, True, True)
    assert creates(emulator)[0] == (SECRET, "success")
    assert SECRET not in printed + caplog.text


@pytest.mark.anyio
async def test_an_operator_helps_an_account_back(terminal: Terminal, emulator: str, tmp_path: Path) -> None:
    """A real worker's account meets a captcha; its log contains that, and the operator's commands."""
    log = tmp_path / "log"
    (terminal.folder / "bob.json").unlink()
    environment = terminal.environment | {"LOG_FORMAT": "json", "LEASE_TTL": "3"}

    def changes() -> list[tuple[str, str]]:
        shown = [json.loads(line) for line in log.read_text().splitlines()]
        return [(account["before"], account["state"]) for account in shown if account["event"] == "account changed"]

    async def accounts(*arguments: str) -> str:
        ended = await asyncio.to_thread(run_to_end, "worker", "accounts", *arguments, **environment)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    store = HookedStore(environment["REDIS_URL"])
    script(emulator, account="alice", captcha=True)
    with process("worker", log, **environment):
        async with Answers(store) as readers:
            client = Client(store, readers)
            assert isinstance(await client.end(await client.ask("one")), Failed)
            assert json.loads(await accounts("show", "alice", "--json"))[0]["state"] == "quarantined"
            script(emulator, account="alice", captcha=False)
            assert await accounts("release", "alice/images") == "alice/images: ready -> ready\n"
            assert await accounts("release", "alice") == (
                "alice: quarantined -> cooling, the next question tries it\nalice/images: ready -> ready\n"
            )
            assert await client.text(await client.ask("two"))
            expected = [("ready", "quarantined"), ("quarantined", "cooling"), ("cooling", "ready")]
            await until(lambda: changes() in (expected, [expected[0], expected[2]]))
    await store.close()


def test_an_export_is_sent_to_the_workers(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "carol.json"
    file.write_text(json.dumps([{"name": "_U", "value": SECRET, "domain": ".bing.com"}]))
    assert terminal.read("add", str(file), "--send") == {"account": "carol", "sent": True}
    assert not (terminal.folder / "carol.json").exists()

    async def take_export(ledger: Ledger) -> None:
        assert await ledger.take_export() == ("carol", file.read_bytes())
        assert await ledger.take_export() is None

    asyncio.run(terminal._on_ledger(take_export))


def test_an_export_that_is_too_large_to_be_sent_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "large.har"
    file.write_bytes(b"{" * (1024 * 1024 + 1))
    assert terminal.refused("add", str(file), "--send") == "an export has 1048576 bytes at most"
