"""Other people's programs: their commands and options as far as pages use them."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.docs.programs.arguments import UnknownError, parse, require, words
from tests.support.docs.programs.place import current, real

_EXAMPLE = re.compile(r"https://[\w.-]*example\.(com|net|org)(?::\d+)?")


def curl(arguments: Sequence[str]) -> int:
    """Run curl; hosts that are examples are the gateway here. An answer with an error fails."""
    gateway = f"http://{current().gateway}"
    located = [_EXAMPLE.sub(gateway, argument) for argument in arguments]
    for argument in located:
        host = re.match(r"(?:https?|wss?)://([^/:]*)", argument)
        require(not host or host[1] in ("127.0.0.1", "localhost"), f"{argument} is not here")
    fails = [] if any(re.fullmatch(r"--fail|-\w*f\w*", argument) for argument in arguments) else ["--fail-with-body"]
    os.execv(real("curl"), ["curl", *fails, *located])
    return 0


def redis_cli(arguments: Sequence[str]) -> int:
    """Send a command to the Redis here, unless other pages would suffer from it."""
    import redis

    flags = words("--raw --no-auth-warning --csv --json")
    parsed = parse(arguments, flags, words("-h -p -n -u -a --rdb --user --pass --cacert -s"), until_first=True)
    host, _, port = current().redis.rpartition(":")
    client = redis.Redis(host, int(port), decode_responses=True)
    for file in parsed.values("--rdb"):
        Path(file).write_bytes(b"REDIS")
    if parsed.rest and not _is_only_checked(client, *parsed.rest):
        try:
            reply = client.execute_command(*parsed.rest)  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:
            raise UnknownError(f"{error}") from error
        print(_text(reply))  # noqa: T201
    return 0


def _is_only_checked(client: Any, command: str, *rest: str) -> bool:
    """Whether a command isn't for the Redis here: other pages would suffer, or it is for a cluster or a sentinel."""
    if command == "config" and rest[0] == "set":
        require(all(client.config_get(name) for name in rest[1::2]), "a directive is unknown")
        return True
    if command == "cluster":
        require(client.execute_command("COMMAND", "INFO", f"cluster|{rest[0]}"), f"cluster {rest[0]} is unknown")
        return True
    if command == "sentinel":
        require(
            rest[0] in ("ckquorum", "failover", "get-master-addr-by-name", "replicas"), f"sentinel {rest[0]} is unknown"
        )
        return True
    return command.lower() in ("flushall", "flushdb", "shutdown")


def _text(reply: object) -> str:
    if isinstance(reply, dict):
        return "\n".join(f"{key}:{value}" for key, value in reply.items())
    if isinstance(reply, list):
        return "\n".join(map(_text, reply))
    return "OK" if reply is True else f"{reply}"


def ollama(arguments: Sequence[str]) -> int:
    """Check the command."""
    command, *rest = arguments
    require(command in ("pull", "run", "serve", "list", "ps", "create", "show", "stop"), f"ollama {command} is unknown")
    require(bool(rest) == (command not in ("serve", "list", "ps")), "one model")
    return 0


def vllm(arguments: Sequence[str]) -> int:
    """Check `vllm serve`."""
    values = words(
        "--host --port --api-key --served-model-name --max-model-len --gpu-memory-utilization --dtype"
        " --reasoning-parser"
    )
    parsed = parse(arguments, words("--enable-prefix-caching --trust-remote-code"), values)
    require(parsed.rest[:1] == ["serve"] and len(parsed.rest) == 2, "vllm serve MODEL")
    return 0


def llama_server(arguments: Sequence[str]) -> int:
    """Check the options of llama.cpp's server."""
    values = words(
        "-m --model -hf -hfr --hf-repo -hff --host --port -c --ctx-size -np --parallel -ngl --api-key -a --alias"
        " --reasoning-format"
    )
    short = [re.sub(r"^-(hf|np|ngl|hff|hfr)$", r"--\1", argument) for argument in arguments]
    parsed = parse(
        short, words("--jinja --metrics --no-webui --embeddings"), values | words("--hf --np --ngl --hff --hfr")
    )
    require(not parsed.rest, f"{parsed.rest} is no option")
    return 0


def litellm(arguments: Sequence[str]) -> int:
    """Check the options of LiteLLM's proxy."""
    for file in parse(arguments, (), words("-c --config --port --host --model")).values("-c", "--config"):
        require(Path(file).exists(), f"no file {file}")
    return 0


def certbot(arguments: Sequence[str]) -> int:
    """Check the command, and make the files that it would make."""
    flags = words("--nginx --standalone --webroot --non-interactive -n --agree-tos --dry-run --quiet --no-eff-email")
    parsed = parse(
        arguments,
        flags,
        words("-d --domain --domains -m --email -w --webroot-path --deploy-hook --cert-name --pre-hook --post-hook"),
    )
    require(parsed.rest in (["certonly"], ["renew"], ["certificates"], []), f"certbot {parsed.rest} is unknown")
    for domain in parsed.values("-d", "--domain"):
        folder = current().machine / "etc/letsencrypt/live" / domain
        folder.mkdir(parents=True, exist_ok=True)
        self_signed(folder / "fullchain.pem", folder / "privkey.pem", domain)
    return 0


def self_signed(certificate: Path, key: Path, domain: str) -> None:
    """Write a certificate for a domain, and its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", f"{key}", "-out", f"{certificate}", "-subj", f"/CN={domain}", "-days", "1"]
    subprocess.run(command, check=True, capture_output=True)


def nginx(arguments: Sequence[str]) -> int:
    """Check the use; tests of the blocks check the configuration."""
    parsed = parse(arguments, words("-t -T"), words("-s -c"))
    require(not parsed.rest, "unknown")
    require(parsed.values("-s") in ([], ["reload"]), "unknown signal")
    return 0


def caddy(arguments: Sequence[str]) -> int:
    """Check the command."""
    command, *rest = arguments
    require(command in ("run", "reload", "validate", "fmt"), f"caddy {command} is unknown")
    for file in parse(rest, words("--overwrite"), words("--config --adapter")).values("--config"):
        require(Path(file).exists(), f"no file {file}")
    return 0


def promtool(arguments: Sequence[str]) -> int:
    """Check the files; tests of monitoring run promtool itself."""
    require(list(arguments[:1]) in (["check"], ["test"]) and arguments[1] in ("rules", "config"), "unknown")
    require(all(Path(file).exists() for file in arguments[2:]) and arguments[2:], f"no file {arguments[2:]}")
    return 0


def git(arguments: Sequence[str]) -> int:
    """Check the command; nothing is fetched and nothing changes."""
    command, *rest = arguments
    known = {
        "clone": ("-q", "--depth --branch -b"),
        "pull": ("--ff-only --rebase -q", ""),
        "fetch": ("--tags --all -q", ""),
        "checkout": ("-q", "-b"),
        "switch": ("-q --detach", "-c"),
        "add": ("", ""),
        "commit": ("-a -s", "-m"),
        "push": ("--tags", ""),
        "tag": ("-a -s", "-m"),
        "log": ("--oneline", "-n"),
        "describe": ("--tags", ""),
        "status": ("--short", ""),
        "worktree": ("--force", "-b"),
        "ls-files": ("", ""),
    }
    require(command in known, f"git {command} is unknown")
    flags, values = known[command]
    parsed = parse(rest, words(flags), words(values))
    if command == "clone":
        target = (
            parsed.rest[1] if len(parsed.rest) > 1 else parsed.rest[0].rstrip("/").rsplit("/")[-1].removesuffix(".git")
        )
        os.symlink(current().checkout, target)
    return 0
