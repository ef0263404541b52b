"""What docker-compose.yml promises, read from the file; Docker is not needed."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from emulator.settings import EmulatorSettings
from gateway.auth.addresses import client_address, parse_networks
from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT

pytestmark = pytest.mark.compose
ALONE = ("nginx", "gateway", "worker", "redis", "emulator", "prometheus", "grafana")
# More servers of Redis, by the profiles that have them; `cluster` ends when it has made a cluster of them.
PROFILES = {
    "redis-2": ["sentinel", "cluster"],
    "redis-3": ["sentinel", "cluster"],
    **{f"redis-{number}": ["cluster"] for number in (4, 5, 6)},
    **{f"sentinel-{number}": ["sentinel"] for number in (1, 2, 3)},
    "cluster": ["cluster"],
}
LASTING = (*ALONE, *(name for name in PROFILES if name != "cluster"))
SERVICES = (*LASTING, "cluster")
SERVERS = ("redis", *(name for name in PROFILES if name.startswith("redis-")))
STORE = {"redis", *PROFILES}
OURS = ("gateway", "worker", "emulator")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    try:
        yaml = importlib.import_module("yaml")
    except ModuleNotFoundError:
        unavailable("PyYAML")
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture
def services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = project["services"]
    assert set(by_name) == set(SERVICES)
    return by_name


def dockerfile_stage(target: str) -> str:
    """The lines of one stage of the Dockerfile."""
    stages = re.split(r"^(?=FROM )", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    (stage,) = (stage for stage in stages if stage.splitlines()[0].endswith(f" AS {target}"))
    return stage


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def reaches(project: dict[str, Any], service: str) -> set[str]:
    """The services that share a network with this one."""
    mine = set(project["services"][service]["networks"])
    return {name for name, other in project["services"].items() if mine & set(other["networks"])} - {service}


def test_only_nginx_and_what_watches_are_published_and_on_loopback(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"nginx", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not any("network_mode" in service for service in services.values())


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_rights_and_nothing_to_write_to(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add"} & set(service)
    writable = [volume for volume in service.get("volumes", []) if not volume.endswith(":ro")]
    volumes = {
        "worker": ["${COOKIES_DIR:-./cookies}:/app/cookies"],
        "prometheus": ["prometheus:/prometheus"],
        # Sentinels, too, have to know after a start what they knew before.
        **{keeper: [f"{keeper}:/data"] for keeper in STORE - {"cluster"}},
    }
    assert writable == volumes.get(name, [])


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_runs_as_root(services: dict[str, dict[str, Any]], name: str) -> None:
    user = services[name].get("user") or re.findall(r"^USER (\S+)$", dockerfile_stage(name), re.MULTILINE)[-1]
    assert user.split(":")[0] not in ("", "0", "root")


@pytest.mark.parametrize("name", LASTING)
def test_a_container_comes_back_and_says_whether_it_is_well(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["restart"] == "unless-stopped"
    check = services[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert seconds(check["timeout"]) < seconds(check["interval"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_starts_after_what_it_needs_is_well(services: dict[str, dict[str, Any]], name: str) -> None:
    needed = {
        "nginx": {"gateway"},
        "gateway": {"redis", "cluster"},
        "worker": {"redis", "cluster", "emulator"},
        "cluster": set(SERVERS),
        **{f"sentinel-{number}": {"redis", "redis-2", "redis-3"} for number in (1, 2, 3)},
        "grafana": {"prometheus"},
    }.get(name, set())
    conditions = services[name].get("depends_on", {})
    assert set(conditions) == needed
    for other, need in conditions.items():
        done = "service_completed_successfully" if other == "cluster" else "service_healthy"
        assert need["condition"] == done
        # A service of a profile is waited for only where that is on.
        mine, others = (set(services[service].get("profiles", [])) for service in (name, other))
        assert need.get("required", True) is (not others or (bool(mine) and mine <= others))


def test_any_number_of_gateways_and_workers_can_run(services: dict[str, dict[str, Any]]) -> None:
    for name in ("gateway", "worker"):
        assert not {"container_name", "hostname", "ports", "deploy"} & set(services[name])


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_container_that_drains_gets_the_time_for_it(services: dict[str, dict[str, Any]], name: str) -> None:
    settings = importlib.import_module(f"{name}.settings")
    drain_timeout = getattr(settings, f"{name.capitalize()}Settings").model_fields["drain_timeout"].default
    assert seconds(services[name]["stop_grace_period"]) > drain_timeout


def test_nginx_gets_the_time_for_its_open_streams(services: dict[str, dict[str, Any]]) -> None:
    (limit,) = re.findall(r"worker_shutdown_timeout (\d+)s;", (ROOT / "deploy" / "nginx.conf").read_text())
    assert seconds(services["nginx"]["stop_grace_period"]) > int(limit)


def test_nginx_gives_up_within_a_minute_on_a_client_that_confirms_nothing(services: dict[str, dict[str, Any]]) -> None:
    for name in ("tcp_retries2", "tcp_orphan_retries"):
        times = int(services["nginx"]["sysctls"][f"net.ipv4.{name}"])
        assert 20 < 0.2 * (2 ** (times + 1) - 1) < 60  # seconds, as the kernel counts


def test_only_workers_see_the_cookies(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if "cookies" in str(service.get("volumes"))} == {"worker"}
    assert "cookies" not in dockerfile_stage("gateway")


def test_workers_serve_their_metrics_to_all_that_share_a_network(project: dict[str, Any]) -> None:
    environment = project["services"]["worker"]["environment"]
    assert environment["METRICS_HOST"] == "0.0.0.0"
    assert int(environment["METRICS_PORT"]) > 0
    assert reaches(project, "worker") == {"gateway", *STORE, "emulator", "prometheus"}


def test_gateways_believe_nginx_who_asks(services: dict[str, dict[str, Any]]) -> None:
    default = services["gateway"]["environment"]["TRUSTED_PROXIES"].replace("${TRUSTED_PROXIES:-}", "")
    nginx = (ROOT / "deploy" / "nginx.conf").read_text()
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert client_address("172.18.0.5", ["203.0.113.9"], parse_networks(default)) == "203.0.113.9"
    # Whoever asks nginx from one of these networks is not taken for nginx.
    assert client_address("172.18.0.5", ["192.168.7.7"], parse_networks(default)) == "192.168.7.7"


def test_nginx_and_gateways_believe_the_proxies_that_the_operator_names(services: dict[str, dict[str, Any]]) -> None:
    assert services["nginx"]["environment"]["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"
    assert services["nginx"]["entrypoint"][:2] == ["sh", "/start-nginx.sh"]
    assert "./deploy/start-nginx.sh:/start-nginx.sh:ro" in services["nginx"]["volumes"]
    named = services["gateway"]["environment"]["TRUSTED_PROXIES"].replace("${TRUSTED_PROXIES:-}", "203.0.113.0/24")
    assert client_address("172.18.0.5", ["198.51.100.1, 203.0.113.9"], parse_networks(named)) == "198.51.100.1"


def test_redis_is_out_of_reach_for_nginx_and_for_the_outside(project: dict[str, Any]) -> None:
    for name in STORE:
        assert reaches(project, name) == {"gateway", "worker"} | STORE - {name}
    outward = {name for name, network in project["networks"].items() if not (network or {}).get("internal")}
    having = {name for name, service in project["services"].items() if outward & set(service["networks"])}
    assert having == {"nginx", "worker", "emulator", "prometheus", "grafana"}
    assert reaches(project, "nginx") == {"gateway", "emulator"}


def test_only_workers_find_this_machine_by_a_name_to_ask_a_model_server_on_it(project: dict[str, Any]) -> None:
    services = project["services"]
    named = {name: service["extra_hosts"] for name, service in services.items() if "extra_hosts" in service}
    assert named == {"worker": ["host.docker.internal:host-gateway"]}
    assert "outside" in services["worker"]["networks"], "it needs a network that leads out"


def test_prometheus_finds_all_gateways_and_workers_where_they_serve_their_metrics(project: dict[str, Any]) -> None:
    yaml = importlib.import_module("yaml")
    watching = yaml.safe_load((ROOT / "deploy" / "monitoring" / "prometheus.yml").read_text())
    lookups = {job["job_name"]: job["dns_sd_configs"] for job in watching["scrape_configs"]}
    ports = {"gateway": "GATEWAY_PORT", "worker": "METRICS_PORT"}
    environment = {name: project["services"][name]["environment"] for name in ports}
    for name, port in ports.items():
        ((names, kind, asked_port),) = [(dns["names"], dns["type"], dns["port"]) for dns in lookups.pop(name)]
        assert (names, kind, asked_port) == ([name], "A", int(environment[name][port]))
    assert lookups == {}
    assert reaches(project, "prometheus") == {"gateway", "worker", "grafana"}
    assert reaches(project, "grafana") == {"prometheus"}


def megabytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", size).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 1, "mb": 1, "g": 1024}[unit]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_a_limit_of_memory(services: dict[str, dict[str, Any]], name: str) -> None:
    small = name == "cluster" or name.startswith("sentinel-")
    assert megabytes(services[name]["mem_limit"]) >= (64 if small else 512)


@pytest.mark.parametrize("shape", ["sentinel", "cluster"])
@pytest.mark.parametrize("name", SERVERS)
def test_redis_may_write_its_log_anew_and_end_what_runs_while_it_is_full(
    services: dict[str, dict[str, Any]], name: str, shape: str
) -> None:
    def setting(file: str, directive: str) -> int:
        (size,) = re.findall(rf"^{directive} (\w+)\b", (ROOT / "deploy" / file).read_text(), re.MULTILINE)
        return megabytes(size)

    # What replicas haven't taken yet counts in maxmemory as far as it is in the backlog.
    backlog = setting(f"{shape}/redis.conf", "repl-backlog-size")
    beyond = setting(f"{shape}/redis.conf", "client-output-buffer-limit replica") - backlog
    assert beyond > 0
    needed = 2 * setting("redis.conf", "maxmemory") + 128 + beyond
    assert megabytes(services[name]["mem_limit"]) >= needed


def test_who_makes_the_cluster_ends_and_all_wait_for_it(services: dict[str, dict[str, Any]]) -> None:
    assert services["cluster"]["restart"] == "no"
    script, *members = services["cluster"]["command"][1:]
    assert script == "/etc/cluster/form.sh"
    assert members == list(SERVERS)


@pytest.mark.parametrize("name", sorted(STORE - {"cluster"}))
def test_a_server_of_redis_is_started_by_the_script_of_its_kind_under_its_name(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    script = "start-redis.sh" if name in SERVERS else "start-sentinel.sh"
    assert services[name]["command"] == ["sh", f"/etc/{script}", name]
    read_only = [volume for volume in services[name]["volumes"] if volume.endswith(":ro")]
    # The script finds the configurations beside itself.
    assert f"./deploy/{script}:/etc/{script}:ro" in read_only
    assert "./deploy/sentinel:/etc/sentinel:ro" in read_only
    if name in SERVERS:
        assert {"./deploy/redis.conf:/etc/redis.conf:ro", "./deploy/cluster:/etc/cluster:ro"} < set(read_only)


def test_one_address_of_redis_holds_for_all_and_is_the_only_ones_by_default(
    services: dict[str, dict[str, Any]],
) -> None:
    addresses = {services[name]["environment"]["REDIS_URL"] for name in ("gateway", "worker", *SERVERS)}
    assert addresses == {"${REDIS_URL:-redis://redis:6379/0}"}


def test_what_watches_is_bounded(services: dict[str, dict[str, Any]]) -> None:
    assert all(
        f"--storage.tsdb.retention.{kind}=" in str(services["prometheus"]["command"]) for kind in ("time", "size")
    )


def test_no_page_of_another_origin_reads_the_metrics(services: dict[str, dict[str, Any]]) -> None:
    (origin,) = re.findall(r"--web\.cors\.origin=([^']*)", str(services["prometheus"]["command"]))
    for name in ("null", "http://127.0.0.1:5000", "https://example.org"):
        assert re.fullmatch(origin, name) is None


def test_images_install_only_what_a_hash_names() -> None:
    installed = re.findall(r"pip install(.*?)(?: && .*)?$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    named = {argument for options in installed for argument in options.split() if not argument.startswith("-")}
    assert named >= {"pip.txt", "gateway.txt", "worker.txt", "run.txt", "docs.txt"}
    for name in named:
        lines = (ROOT / "requirements" / name).read_text().replace("\\\n", "").splitlines()
        assert all("--hash=sha256:" in line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def test_nobody_can_change_anything_in_grafana(services: dict[str, dict[str, Any]]) -> None:
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    # Whoever may look could send what there is to a place outside.
    assert environment["GF_SNAPSHOTS_ENABLED"] == "false"
    for name in ("SECURITY_DISABLE_INITIAL_ADMIN_CREATION", "AUTH_DISABLE_LOGIN_FORM", "PLUGINS_PREINSTALL_DISABLED"):
        assert environment[f"GF_{name}"] == "true"


def test_only_what_is_asked_for_runs_beside_the_service(services: dict[str, dict[str, Any]]) -> None:
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == {
        "emulator": ["demo"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
        **PROFILES,
    }
    assert services["worker"]["depends_on"]["emulator"]["required"] is False


def test_each_image_is_pinned_and_ours_are_built_here(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name in OURS:
            assert service["build"]["target"] == name
            assert "image" not in service
        else:
            assert re.search(r":v?\d", service["image"])


def test_the_gateways_image_has_no_part_of_the_worker() -> None:
    stage = dockerfile_stage("gateway")
    assert "worker" not in stage
    assert "EdgeGPT" not in (ROOT / "requirements" / "gateway.txt").read_text()


def copied(stage: str) -> list[str]:
    """Return what a stage of the Dockerfile takes from the checkout."""
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", stage, re.MULTILINE)
    return [path for line in lines for path in line.split()]


def test_the_build_gets_each_file_that_it_copies_once() -> None:
    allowed = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"]
    for stage in re.split(r"^(?=FROM )", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE):
        paths = copied(stage)
        assert len(set(paths)) == len(paths), stage
        for path in paths:
            assert (ROOT / path).exists(), path
            assert any(Path(path).match(entry) or path.startswith(entry) for entry in allowed), path


def test_one_container_has_all_and_serves_outside_of_itself() -> None:
    stage = dockerfile_stage("serve")
    assert {"bing_chat_gateway/", "gateway/", "worker/", "emulator/", "wire/", "telemetry/"} <= set(copied(stage))
    assert "ENV GATEWAY_HOST=0.0.0.0" in stage
    assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["1000:1000"]
    assert 'CMD ["python", "-m", "bing_chat_gateway", "serve"]' in stage


@pytest.mark.parametrize("target", ["gateway", "serve"])
def test_an_image_that_serves_documents_has_the_site(target: str) -> None:
    assert "COPY --from=docs /app/gateway/docs/site.zip gateway/docs/" in dockerfile_stage(target)


def test_the_documents_are_built_from_all_that_they_include() -> None:
    pages = (ROOT / "docs").rglob("*.md")
    included = {
        (page.parent / name).resolve()
        for page in pages
        for name in re.findall(r"^```\{(?:literal)?include\} (\S+)$", page.read_text(), re.MULTILINE)
    }
    assert included
    sources = [ROOT / path for path in copied(dockerfile_stage("docs"))]
    assert [path for path in included if not any(path.is_relative_to(source) for source in sources)] == []


def test_cookies_stay_out_of_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignored
    assert not any(line.startswith("!cookies") for line in ignored)


def test_redis_keeps_what_it_is_given() -> None:
    lines = [line.split() for line in (ROOT / "deploy" / "redis.conf").read_text().splitlines() if line]
    for directive in (["appendonly", "yes"], ["appendfsync", "everysec"], ["maxmemory-policy", "noeviction"]):
        assert directive in lines


@pytest.mark.parametrize("path", sorted((ROOT / "deploy" / "demo-cookies").iterdir()), ids=lambda path: path.name)
def test_demo_accounts_are_nobodys(path: Path) -> None:
    assert '"not-a-real-cookie-' in path.read_text()


def test_the_demos_settings_reach_the_emulator_and_its_quota_is_off(services: dict[str, dict[str, Any]]) -> None:
    environment = services["emulator"]["environment"]
    assert set(environment) == {f"EMULATOR_{name.upper()}" for name in EmulatorSettings.model_fields}
    # Where workers and nginx look for it.
    assert (environment.pop("EMULATOR_HOST"), environment.pop("EMULATOR_PORT")) == ("0.0.0.0", "8190")
    assert all(value.startswith(f"${{{name}:-") for name, value in environment.items())
    assert environment["EMULATOR_DAILY_QUOTA"] == "${EMULATOR_DAILY_QUOTA:-0}"
