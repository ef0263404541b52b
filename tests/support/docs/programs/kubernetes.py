"""kubectl: held against the manifests in deploy/kubernetes."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.docs.programs.arguments import Arguments, parse, require, words
from tests.support.docs.programs.place import current

_FLAGS = words("-f --follow -w --watch -A --all-namespaces -it -i -t -q --wait --all --ignore-not-found --server-side")
_VALUES = words(
    "-n --namespace -k --kustomize -l --selector -o --output -c --container --replicas --from-file --from-literal"
    " --tail --since --timeout --for --dry-run --type -p --patch --from-env-file --image"
    " --address --cert --key --context"
)
_KINDS = {
    "deploy": "Deployment", "deployment": "Deployment", "svc": "Service", "service": "Service", "sts": "StatefulSet",
    "statefulset": "StatefulSet", "secret": "Secret", "configmap": "ConfigMap", "cm": "ConfigMap", "ingress": "Ingress",
    "pvc": "PersistentVolumeClaim", "hpa": "HorizontalPodAutoscaler", "job": "Job", "cronjob": "CronJob",
    "pdb": "PodDisruptionBudget", "networkpolicy": "NetworkPolicy", "namespace": "Namespace", "ns": "Namespace",
}  # fmt: skip
_COMMANDS = words(
    "apply delete create get describe rollout scale logs exec port-forward set wait kustomize diff label annotate top"
    " patch config cp"
)
_LISTED = words("pods pod po all nodes events services deployments secrets configmaps ingresses statefulsets")


def kubectl(arguments: Sequence[str]) -> int:
    """Check a command."""
    words_before = [argument for argument in arguments if argument == "--"]
    until = arguments.index("--") if words_before else len(arguments)
    inside = list(arguments[until + 1 :])
    plain = ["-i" if argument in ("-it", "-ti") else argument for argument in arguments[:until]]
    # -f names a file but where logs are followed.
    values = _VALUES if "logs" in plain else _VALUES | {"-f", "--filename"}
    parsed = parse(plain, _FLAGS - (values & {"-f"}), values)
    require(parsed.rest, "no command")
    command, *rest = parsed.rest
    require(command in _COMMANDS, f"kubectl {command} is unknown")
    for folder in [*parsed.values("-k", "--kustomize"), *(rest if command == "kustomize" else ())]:
        _check_kustomization(Path(folder))
    for file in parsed.values("-f", "--filename"):
        require(file == "-" or Path(file).exists(), f"no file {file}")
    for source in parsed.values("--from-file"):
        require(Path(source.rpartition("=")[2]).exists(), f"no file {source}")
    _check_names(command, rest, parsed)
    require(command != "exec" or inside, "no command to execute")
    return 0


def _check_kustomization(folder: Path) -> None:
    file = folder / "kustomization.yaml"
    require(file.exists(), f"no {file}")
    for resource in yaml.safe_load(file.read_text()).get("resources", ()):
        require((folder / resource).exists(), f"{file} has {resource}, which is not there")


def _manifests() -> Iterator[dict[str, Any]]:
    for path in (current().checkout / "deploy/kubernetes").rglob("*.yaml"):
        yield from (manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest)


def _check_names(command: str, rest: Sequence[str], parsed: Arguments) -> None:
    """Check that the objects named as kind/name are in the manifests, but those that pages create."""
    names = {(manifest.get("kind"), manifest.get("metadata", {}).get("name")) for manifest in _manifests()}
    if command == "create":
        require(rest and rest[0] in ("namespace", "secret", "configmap", "job", "ns"), f"kubectl create {rest[:1]}")
        return
    verbs = words("restart status undo history image env resources set-context pause resume")
    objects = [word for word in rest if word not in verbs and not re.fullmatch(r"[\w.-]+=.*|\d*:?\d+|\w+-", word)]
    if objects and "/" not in objects[0] and objects[0] in _KINDS:
        kind, *objects = objects
        objects = [f"{kind}/{target}" for target in objects]
    pods = [f"{name}-0" for kind, name in names if kind == "StatefulSet"]
    for target in objects:
        is_local = command == "cp" and ":" not in target
        if is_local or (command in ("exec", "cp", "logs") and target.partition(":")[0] in pods):
            continue
        kind, slash, name = target.partition("/")
        if slash:
            require(kind in _KINDS, f"unknown kind {kind}")
            require(
                (_KINDS[kind], name) in names or _KINDS[kind] in ("Secret", "Namespace"),
                f"no {target} in the manifests",
            )
        else:
            require(target in _LISTED or command in ("kustomize", "config"), f"{target} is no kind/name")
