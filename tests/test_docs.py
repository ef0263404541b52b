"""The documents keep up with the code."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings
from starlette.routing import Route, WebSocketRoute

from emulator.settings import EmulatorSettings
from gateway import errors
from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.ops.metrics import GatewayMetrics, first_text_histogram
from gateway.settings import GatewaySettings
from tests.support.worker.harness import ACCOUNTS, settings_with
from wire import scripts
from wire.answers import Answers
from wire.reasons import Reason
from wire.redis.store import Store
from worker.accounts.config import AccountOptions, parse_config
from worker.metrics import WorkerMetrics
from worker.service import open_worker
from worker.settings import WorkerSettings

ROOT = Path(__file__).parent.parent
READMES = ["README.md", "README.zh.md"]
# Whose something is, in the words of the tables.
BOTH = ("gateway", "worker")
OF = {"gateway": ("gateway",), "网关": ("gateway",), "worker": ("worker",), "both": BOTH, "两者": BOTH}


def rows(name: str) -> list[list[str]]:
    """The cells of all table rows of a document."""
    lines = (ROOT / name).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def settings() -> list[tuple[str, object]]:
    """(name in the environment, default) of every setting."""
    kinds: list[type[BaseSettings]] = [GatewaySettings, WorkerSettings, EmulatorSettings]
    return sorted(
        {
            (f"{kind.model_config.get('env_prefix', '')}{name}".upper(), str(field.default))
            for kind in kinds
            for name, field in kind.model_fields.items()
        }
    )


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.parametrize(("name", "default"), settings(), ids=lambda value: str(value)[:40])
def test_every_setting_is_in_the_readme_with_its_default(readme: str, name: str, default: object) -> None:
    defaults = [row[1] for row in rows(readme) if row[0] == f"`{name}`"]
    assert len(defaults) == 1, f"{name} has {len(defaults)} rows"
    if default != "None":
        shown = defaults[0]
        same = shown == str(default) or (shown.isdecimal() and float(shown) == float(str(default)))
        assert same, f"{name} is {default}, not {shown}"


@pytest.mark.parametrize("readme", READMES)
def test_no_setting_is_documented_that_does_not_exist(readme: str) -> None:
    known = {name for name, _ in settings()}
    documented = {row[0].strip("`") for row in rows(readme) if re.fullmatch(r"`[A-Z_]+`", row[0])}
    assert documented <= known


@pytest.mark.parametrize("readme", READMES)
def test_every_endpoint_is_in_the_readme(readme: str, tmp_path: Path) -> None:
    (tmp_path / "admins").write_text(f"olivia {'0' * 64}")
    app = create_app(GatewaySettings(admin_keys_file=tmp_path / "admins"), Store("memory://"), ActiveRequests())
    paths = {route.path for route in app.routes if isinstance(route, Route | WebSocketRoute)}
    documented = {row[0].strip("`") for row in rows(readme)}
    served_by_a_page = {path for path in paths if "." in path or ("{" in path and "/console/" not in path)}
    assert paths - served_by_a_page <= documented


async def metrics() -> set[tuple[str, str]]:
    """(name, whose) of every metric of ours, as `/metrics` has it."""
    store = Store("memory://")
    async with open_worker(
        settings_with(provider="tests.support.worker.scripted_provider:ScriptedProvider"), store, ACCOUNTS
    ) as worker:
        families = {
            "gateway": [
                *GatewayMetrics(ActiveRequests(), Answers(store), first_text_histogram(), store).collect(),
                *first_text_histogram().collect(),
            ],
            "worker": list(WorkerMetrics(worker).collect()),
        }
    return {
        (f"{family.name}_total" if family.type == "counter" else family.name, of)
        for of, help_ in families.items()
        for family in help_
    }


@pytest.mark.anyio
@pytest.mark.parametrize("readme", READMES)
async def test_the_readmes_metrics_are_those_there_are(readme: str) -> None:
    documented = {
        (name, of) for row in rows(readme) for name in re.findall(r"`(bing_\w+)`", row[0]) for of in OF[row[2]]
    }
    assert documented == await metrics()


@pytest.mark.parametrize("readme", READMES)
def test_every_error_code_is_in_the_readme(readme: str) -> None:
    codes = {str(errors.problem_for(reason).code) for reason in Reason if reason not in errors.EXPORT_REASONS}
    documented = {row[0] for row in rows(readme)}
    assert codes <= documented


@pytest.mark.parametrize("readme", READMES)
def test_the_readmes_reasons_have_the_codes_of_the_table(readme: str) -> None:
    """One code for all reasons of a row, or one for each."""
    documented: dict[str, str] = {}
    for row in rows(readme):
        reasons = re.findall(r"`([a-z]+\.[a-z]+|internal)`", row[0])
        codes = re.findall(r"\d{3}", row[1]) if reasons and re.fullmatch(r"[\d,、 ]+", row[1]) else []
        documented |= (
            dict(zip(reasons, codes if len(codes) > 1 else codes * len(reasons), strict=True)) if codes else {}
        )
    assert {reason: str(errors.problem_for(Reason(reason)).code) for reason in documented} == documented
    # Of a message that can't be understood; a keyword is no part of v2.
    unreadable = {reason for reason, spec in errors.ERRORS.items() if spec.legacy_code == 110}
    own = {*errors.REASONS.values(), *unreadable, Reason.INTERNAL} - {Reason.REQUEST_KEYWORD}
    assert own == documented.keys()


def test_the_example_of_accounts_toml_is_understood_and_whole() -> None:
    page = (ROOT / "cookies" / "README.md").read_text().partition("## accounts.toml")[2]
    example = "\n".join(line for line in page.splitlines() if line.startswith("    "))
    parsed = parse_config(example.encode())
    assert parsed.problems == ()
    assert parsed.options_for("alice") == AccountOptions(2.0, 4, 150, "socks5://user:password@192.0.2.7:1080")
    assert parsed.options_for("bob.smith") == AccountOptions(proxy="http://192.0.2.8:3128")


def test_every_script_is_documented() -> None:
    documented = {row[0] for row in rows("docs/architecture/scripts.md")}
    assert set(scripts.names()) <= documented


def test_every_invariant_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(named) >= 11
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name} is not there"


def test_a_link_between_documents_leads_somewhere() -> None:
    pages = (ROOT / "docs").rglob("*.md")
    for document in [*(ROOT / name for name in [*READMES, "ARCHITECTURE.md", "CHANGELOG.md"]), *pages]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document} links to {target}"


def test_the_architecture_fits_on_a_few_pages() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_bytes()) <= 14_000
