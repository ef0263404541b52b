"""docker and docker compose: held against docker-compose.yml, Dockerfile and the options that they have."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.docs.compose_file import Loader
from tests.support.docs.programs.arguments import Arguments, parse, require, words
from tests.support.docs.programs.place import current

# The options of Compose 2.24: those without a value, and those with one.
_COMPOSE = {
    "build": ("--pull --no-cache -q --quiet", "--build-arg --progress"),
    "config": ("-q --quiet --services --images --volumes --profiles --no-interpolate", "--format"),
    "cp": ("-a --archive -L", "--index"),
    "down": ("-v --volumes --remove-orphans", "-t --timeout --rmi"),
    "exec": ("-T --no-tty -d --detach --privileged", "-e --env -u --user -w --workdir --index"),
    "images": ("-q --quiet", "--format"),
    "kill": ("", "-s --signal"),
    "logs": ("-f --follow -t --timestamps --no-color --no-log-prefix", "-n --tail --since --until --index"),
    "port": ("", "--index --protocol"),
    "ps": ("-a --all -q --quiet --services", "--format --status --filter"),
    "pull": ("-q --quiet --include-deps --ignore-pull-failures", "--policy"),
    "restart": ("--no-deps", "-t --timeout"),
    "rm": ("-f --force -s --stop -v --volumes", ""),
    "run": (
        "--rm -T --no-TTY -d --detach --no-deps --build",
        "-e --env -u --user -v --volume -p --publish --entrypoint --name",
    ),
    "start": ("", ""),
    "stop": ("", "-t --timeout"),
    "top": ("", ""),
    "up": (
        "-d --detach --build --no-build --no-start --wait --no-deps --no-recreate --force-recreate --remove-orphans"
        " --quiet-pull",
        "--scale --pull -t --timeout --wait-timeout",
    ),
    "version": ("--short", ""),
}
_DOCKER = {
    "build": ("-q --quiet --pull --no-cache --load --push", "-t --tag -f --file --target --build-arg --platform"),
    "cp": ("-a", ""),
    "exec": ("-i -t -d", "-e --env -u --user -w"),
    "images": ("-q -a", "--format --filter"),
    "inspect": ("", "-f --format"),
    "kill": ("", "-s --signal"),
    "load": ("-q", "-i --input"),
    "logs": ("-f --follow", "-n --tail --since"),
    "ps": ("-a -q", "--filter --format"),
    "pull": ("-q", "--platform"),
    "push": ("-q --quiet", ""),
    "rm": ("-f --force -v --volumes", ""),
    "run": (
        "--rm -d --detach -i -t --init --read-only",
        "-e --env --env-file --name --network -p --publish -v --volume --mount -u --user --add-host --restart"
        " --entrypoint --tmpfs --cap-drop --security-opt -w --workdir --stop-timeout",
    ),
    "save": ("", "-o --output"),
    "stop": ("", "-t --time"),
    "tag": ("", ""),
    "version": ("", "--format"),
}
_CONTAINER = re.compile(r"[a-z]+-\d+")


def docker(arguments: Sequence[str]) -> int:
    """Check a command of docker, and print what others in the page take from it."""
    require(arguments, "no command")
    command, *rest = arguments
    if command == "compose":
        return _compose(rest)
    if command == "volume":
        return _volume(rest)
    require(command in _DOCKER, f"docker {command} is unknown")
    flags, values = _DOCKER[command]
    parsed = parse(rest, words(flags), words(values), until_first=command in ("run", "exec"))
    if command == "build":
        _check_build(parsed)
    if command in ("stop", "rm", "kill", "logs", "inspect", "exec"):
        names = parsed.rest[:1] if command == "exec" else parsed.rest
        require(
            names and all(_CONTAINER.fullmatch(name) or name in _remembered() for name in names), "no such container"
        )
    if command == "run":
        require(parsed.rest, "no image")
        _remember(parsed.values("--name"))
    return 0


def _names() -> Path:
    return current().machine / "containers"


def _remembered() -> list[str]:
    return _names().read_text().split() if _names().exists() else []


def _remember(names: Sequence[str]) -> None:
    with _names().open("a") as file:
        file.writelines(f"{name}\n" for name in names)


def _check_build(parsed: Arguments) -> None:
    (context,) = parsed.rest
    dockerfile = Path(next(iter(parsed.values("-f", "--file")), f"{context}/Dockerfile")).read_text()
    for target in parsed.values("--target"):
        require(re.search(rf"^FROM .* AS {re.escape(target)}$", dockerfile, re.MULTILINE), f"no stage {target}")
    for argument in parsed.values("--build-arg"):
        require(re.search(rf"^ARG {argument.partition('=')[0]}\b", dockerfile, re.MULTILINE), f"no ARG {argument}")


def _volume(arguments: Sequence[str]) -> int:
    command, *names = arguments
    require(command in ("ls", "inspect", "rm", "create"), f"docker volume {command} is unknown")
    project = _project([])
    known = {f"{project['name']}_{volume}" for volume in project["volumes"]}
    require(command == "create" or set(names) <= known, f"volumes are {sorted(known)}")
    return 0


def _project(files: Sequence[str]) -> dict[str, Any]:
    """Return the project of the files: those given, else docker-compose.yml and what is laid over it."""
    default = ["docker-compose.yml", "docker-compose.override.yml", "compose.override.yaml"]
    listed = _setting("COMPOSE_FILE").split(":") if _setting("COMPOSE_FILE") else []
    paths = [Path(file) for file in files or listed] or [Path(name) for name in default if Path(name).exists()]
    require(paths and all(path.exists() for path in paths), f"no file {', '.join(map(str, paths)) or default[0]}")
    merged: dict[str, Any] = {"services": {}, "volumes": {}}
    for path in paths:
        part = yaml.load(path.read_text(), Loader)
        merged.update({name: value for name, value in part.items() if name not in ("services", "volumes")})
        for name, service in part.get("services", {}).items():
            merged["services"][name] = merged["services"].get(name, {}) | (service or {})
        merged["volumes"].update(part.get("volumes") or {})
    return merged


def _setting(name: str) -> str:
    """Return a setting of Compose itself, from the environment or from .env."""
    lines = Path(".env").read_text().splitlines() if Path(".env").exists() else []
    return os.environ.get(name) or dict(line.split("=", 1) for line in lines if "=" in line).get(name, "")


def _compose(arguments: Sequence[str]) -> int:
    top = parse(arguments, words("--compatibility"), words("-f --file --profile --env-file -p --project-name"), True)
    require(top.rest, "no command")
    command, *rest = top.rest
    project = _project(top.values("-f", "--file"))
    services = project["services"]
    require(command in _COMPOSE, f"docker compose {command} is unknown")
    flags, values = _COMPOSE[command]
    parsed = parse(rest, words(flags), words(values), until_first=command in ("exec", "run"))
    profiles = {profile for service in services.values() for profile in service.get("profiles", ())}
    for profile in top.values("--profile"):
        require(profile in profiles, f"profiles are {sorted(profiles)}")
    for file in top.values("--env-file"):
        require(Path(file).exists(), f"no file {file}")
    for scale in parsed.values("--scale"):
        require(re.fullmatch(r"\w+=\d+", scale) and scale.partition("=")[0] in services, f"no service {scale}")
    for argument in parsed.values("--build-arg"):
        require(re.search(rf"^ARG {argument.partition('=')[0]}\b", Path("Dockerfile").read_text(), re.M), argument)
    if command == "cp":
        named = [path.partition(":")[0] for path in parsed.rest if ":" in path]
        _copy(*parsed.rest)
    else:
        named = parsed.rest[:1] if command in ("exec", "run", "port") else parsed.rest
    require(set(named) <= set(services), f"services are {sorted(services)}")
    if command in ("exec", "run"):
        require(len(parsed.rest) > 1 or command == "run", "no command to execute")
        return _execute(parsed.rest[0], parsed.rest[1:])
    if command == "ps" and parsed.values("-q", "--quiet"):
        print("\n".join(f"{name}-{number}" for name in named or services for number in (1, 2, 3)))  # noqa: T201
    return 0


def _copy(source: str, target: str) -> None:
    """Copy a file into or out of a container, which gives an empty one."""
    if ":" in source:
        Path(target).touch()
    else:
        require(Path(source).exists(), f"no file {source}")


def _execute(service: str, command: Sequence[str]) -> int:
    """Run a command of a container against what runs here."""
    if not command:
        return 0
    known = {
        "gateway": ("python",),
        "worker": ("python",),
        "emulator": ("python",),
        "redis": ("redis-cli", "redis-check-aof", "sh", "ls", "rm", "tar", "cat", "du"),
        "sentinel-1": ("redis-cli",),
        "nginx": ("nginx", "cat", "ls", "curl"),
    }
    require(command[0] in known.get(service, ()), f"{command[0]} isn't in the image of {service}")
    if command[0] in ("python", "redis-cli"):
        return subprocess.run(list(command), check=False).returncode
    if command[0] == "nginx":
        require(list(command[1:]) in (["-t"], ["-s", "reload"]), "unknown use of nginx")
    return 0
