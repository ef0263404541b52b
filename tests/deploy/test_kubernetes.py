"""The manifests for Kubernetes: by its own schemas, and what they promise. No cluster is needed."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import GatewaySettings
from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT
from wire.settings import SharedSettings
from wire.version import VERSION
from worker.settings import WorkerSettings

MANIFESTS = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.30.0", "1.37.0"
SETTINGS: dict[str, type[SharedSettings]] = {"gateway": GatewaySettings, "worker": WorkerSettings}
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
FILES = [*KUSTOMIZATION["resources"], "ingress.yaml"]


def documents(*files: str) -> list[dict[str, Any]]:
    return [document for file in files for document in yaml.safe_load_all((MANIFESTS / file).read_text())]


RESOURCES = documents(*FILES)
PODS = {
    resource["metadata"]["name"]: resource["spec"]["template"]["spec"]
    for resource in RESOURCES
    if resource["kind"] in ("Deployment", "StatefulSet")
}


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["containers"]
    return dict(only)


def environment(name: str) -> dict[str, str]:
    lines = (MANIFESTS / "settings.env").read_text().splitlines()
    common = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return common | {variable["name"]: variable["value"] for variable in container(name).get("env", [])}


def test_gateways_serve_the_names_of_the_ingress_and_of_their_service() -> None:
    served = environment("gateway")["ALLOWED_HOSTS"].split(",")
    rules = [rule for one in RESOURCES if one["kind"] == "Ingress" for rule in one["spec"]["rules"]]
    assert {rule["host"] for rule in rules} | {f"gateway.{KUSTOMIZATION['namespace']}"} <= set(served)
    assert rules


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(
    "resource", RESOURCES, ids=lambda resource: f"{resource['kind']}-{resource['metadata']['name']}"
)
def test_a_resource_is_valid(resource: dict[str, Any], version: str) -> None:
    if resource["apiVersion"].startswith("traefik.io/"):
        assert set(resource) == {"apiVersion", "kind", "metadata", "spec"}  # its schema is Traefik's
        return
    try:
        kubernetes = importlib.import_module("kubernetes_validate")
    except ModuleNotFoundError:
        unavailable("kubernetes-validate")
    kubernetes.validate(resource, version, strict=True)


def test_each_file_is_used_or_an_example() -> None:
    generated = [
        file
        for entry in KUSTOMIZATION["configMapGenerator"]
        for file in (*entry.get("files", ()), *entry.get("envs", ()))
    ]
    assert {path.name for path in MANIFESTS.iterdir()} == {*FILES, *generated, "kustomization.yaml"}


def test_the_images_are_of_this_version_and_built_by_the_reader() -> None:
    images = {image["name"]: image["newTag"] for image in KUSTOMIZATION["images"]}
    assert images == {"bing-chat-gateway/gateway": VERSION, "bing-chat-gateway/worker": VERSION}
    assert {container(name)["image"] for name in ("gateway", "worker")} == set(images)


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_settings_are_valid(name: str) -> None:
    settings = SETTINGS[name]
    variables = environment(name)
    fields = {*GatewaySettings.model_fields, *WorkerSettings.model_fields}
    assert {variable.lower() for variable in variables} <= fields
    settings.model_validate(
        {variable.lower(): value for variable, value in variables.items() if variable.lower() in settings.model_fields}
    )


@pytest.mark.parametrize("name", ["gateway", "worker", "redis"])
def test_a_container_has_no_rights_and_nothing_to_write_to(name: str) -> None:
    pod, own = PODS[name], container(name)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # GATEWAY_PORT is a setting
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in own["resources"]["limits"]
    writable = {mount["mountPath"] for mount in own["volumeMounts"] if not mount.get("readOnly")}
    assert writable == ({"/data"} if name == "redis" else {"/tmp"})


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_pod_that_drains_gets_the_time_for_it(name: str) -> None:
    settings = SETTINGS[name]
    command = container(name).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    before = int(command[1])
    assert PODS[name]["terminationGracePeriodSeconds"] > before + settings.model_fields["drain_timeout"].default


def test_probes_ask_what_processes_report() -> None:
    gateway = container("gateway")
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert gateway["livenessProbe"]["httpGet"]["path"] == gateway["startupProbe"]["httpGet"]["path"] == "/healthz"
    worker = container("worker")
    assert worker["readinessProbe"]["exec"]["command"] == ["python", "-m", "worker", "check"]
    assert "livenessProbe" not in worker  # neither Redis nor an account comes back by a restart


def test_only_gateways_and_workers_reach_redis() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in documents("network-policies.yaml")}
    assert policies["nobody-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (entry,) = policies["redis"]["ingress"]
    ((peer,), (port,)) = entry["from"], entry["ports"]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["gateway", "worker"]
    assert port == {"port": "redis"}
    assert "egress" not in policies["redis"]
    assert set(policies) == {"nobody-by-default", "names", "gateway", "worker", "redis"}


def test_redis_runs_once_with_the_same_configuration_as_with_compose() -> None:
    assert (MANIFESTS / "redis.conf").read_bytes() == (ROOT / "deploy" / "redis.conf").read_bytes()
    (redis,) = (resource for resource in RESOURCES if resource["kind"] == "StatefulSet")
    assert redis["spec"]["replicas"] == 1


def test_redis_may_write_its_log_anew_and_end_what_runs_while_it_is_full() -> None:
    (most,) = re.findall(r"^maxmemory (\d+)mb$", (MANIFESTS / "redis.conf").read_text(), re.MULTILINE)
    limit = container("redis")["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Mi")) >= 2 * int(most) + 128


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_disruptions_leave_one(name: str) -> None:
    (replicas,) = (
        r["spec"]["replicas"] for r in RESOURCES if r["kind"] == "Deployment" and r["metadata"]["name"] == name
    )
    (budget,) = (r["spec"] for r in RESOURCES if r["kind"] == "PodDisruptionBudget" and r["metadata"]["name"] == name)
    assert replicas > budget["maxUnavailable"]
    assert budget["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}


def test_no_secret_is_in_the_manifests() -> None:
    assert not [resource for resource in RESOURCES if resource["kind"] == "Secret"]
    assert not list(Path(MANIFESTS).glob("*.key"))
