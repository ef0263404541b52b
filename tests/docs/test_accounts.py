"""The guides to accounts and to model servers say what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_group

from wire.ledger import STATES
from worker.accounts.config import AccountOptions, parse_config
from worker.accounts.endpoints import ServerEntry
from worker.cli.accounts import app
from worker.providers.registry import server_providers

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
ACCOUNTS = (GUIDES / "accounts.md").read_text(encoding="utf-8")
SERVERS = (GUIDES / "real-models.md").read_text(encoding="utf-8")


def first_cells(page: str) -> set[str]:
    """What the first cells of all table rows have in code font."""
    cells = re.findall(r"^\| ([^|]*)\|", page, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}


def examples(page: str) -> list[bytes]:
    return [block.encode() for block in re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]


def test_the_example_of_accounts_toml_is_understood() -> None:
    (block,) = examples(ACCOUNTS)
    parsed = parse_config(block)
    assert parsed.problems == ()
    assert parsed.options_for("alice") == AccountOptions(2.0, 4, 150, "socks5://user:password@192.0.2.7:1080")
    assert parsed.options_for("bob.smith") == AccountOptions(proxy="http://192.0.2.8:3128")
    assert parsed.options_for("local") == AccountOptions(answer_timeout=1200)
    assert parsed.servers["local"] == ServerEntry("local", "http://127.0.0.1:11434/v1", "llama3.2")


def test_the_examples_of_servers_are_understood() -> None:
    parsed = [parse_config(block, server_providers()) for block in examples(SERVERS)]
    assert [config.problems for config in parsed] == [(), ()]
    assert [sorted(config.servers) for config in parsed] == [
        ["claude", "gateway"],
        ["azure", "bridge", "local", "thinker"],
    ]


def test_every_option_of_accounts_toml_is_listed_once() -> None:
    own = {field.name for field in fields(AccountOptions)}
    servers = {field.name for field in fields(ServerEntry)} - {"name"}
    assert own <= first_cells(ACCOUNTS)
    assert servers <= first_cells(SERVERS)
    assert not own & first_cells(SERVERS)
    assert not servers & first_cells(ACCOUNTS)


def test_every_state_and_command_of_accounts_is_listed() -> None:
    commands = set(get_group(app).commands)
    assert {f"bing-chat-gateway accounts {command}" for command in commands} == {
        re.sub(" [A-Z]+$", "", cell) for cell in first_cells(ACCOUNTS) if cell.startswith("bing-chat-gateway accounts ")
    }
    assert set(STATES) <= first_cells(ACCOUNTS)


@pytest.mark.parametrize("message", sorted(re.findall(r"`(?:alice\.json|…) ([^`…]+?)(?: …)?`", ACCOUNTS)))
def test_a_message_that_the_guide_explains_exists(message: str) -> None:
    words = message.replace("_U", "{SIGN_IN}")
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "worker" / "accounts").rglob("*.py"))
    assert words in sources or message in sources
