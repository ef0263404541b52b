"""The units for systemd: what they promise, and systemd's own opinion of them where it is installed."""

import re
import subprocess
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from tests.support.prerequisites import find_program
from tests.support.processes import ROOT
from wire.settings import SharedSettings
from worker.settings import WorkerSettings

UNITS = ROOT / "deploy" / "systemd"
KINDS = ("gateway", "worker")
SETTINGS: dict[str, type[SharedSettings]] = {"gateway": GatewaySettings, "worker": WorkerSettings}
PROGRAM = "/opt/bing-chat-gateway/bin/bing-chat-gateway"


def unit(kind: str) -> Path:
    return UNITS / f"bing-chat-{kind}@.service"


def directives(kind: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit(kind).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_runs_its_process_as_nobody_with_rights(kind: str) -> None:
    found = directives(kind)
    (command,) = found["ExecStart"]
    assert command.endswith(f" {PROGRAM} {kind}")
    assert found["User"] == found["Group"] == ["bing-chat"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    for name in ("NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectHome", "RestrictNamespaces"):
        assert found[name] == ["true"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_comes_back_and_gets_the_time_to_drain(kind: str) -> None:
    found = directives(kind)
    assert found["Restart"] == ["always"]
    (limit,) = found["TimeoutStopSec"]
    assert int(limit) > SETTINGS[kind].model_fields["drain_timeout"].default


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_has_the_memory_that_its_container_has(kind: str) -> None:
    service = rf"^  {kind}:\n(?:    .*\n)*?    mem_limit: (\w+)"
    limits = re.findall(service, (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    assert [limit.lower() for limit in directives(kind)["MemoryMax"]] == limits


def test_instances_have_ports_of_their_own() -> None:
    """By env, since a variable of EnvironmentFile= wins over Environment=."""
    assert "/usr/bin/env GATEWAY_PORT=%i " in directives("gateway")["ExecStart"][0]
    assert "/usr/bin/env METRICS_PORT=800%i " in directives("worker")["ExecStart"][0]


def test_what_is_set_is_a_setting() -> None:
    variables = [value.partition("=")[0] for kind in KINDS for value in directives(kind)["Environment"]]
    file = re.findall(r"^#?([A-Z_]+)=", (UNITS / "settings.env").read_text(), re.MULTILINE)
    assert len(file) >= 4
    known = {*GatewaySettings.model_fields, *WorkerSettings.model_fields}
    assert {variable.lower() for variable in (*variables, *file)} <= known
    assert {f"EnvironmentFile={directives(kind)['EnvironmentFile'][0]}" for kind in KINDS} == {
        "EnvironmentFile=/etc/bing-chat-gateway/settings.env"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_systemd_finds_no_fault_in_a_unit(kind: str, tmp_path: Path) -> None:
    analyze = find_program("systemd-analyze")
    copy = tmp_path / unit(kind).name
    copy.write_text(unit(kind).read_text().replace(PROGRAM, "/bin/true").replace("/usr/bin/curl", "/bin/true"))
    for command in (["verify", str(copy)], ["security", "--offline=true", "--threshold=20", str(copy)]):
        done = subprocess.run([analyze, *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert copy.name not in done.stderr, done.stderr
