"""Agents of the command line: how each is set up for a server of its API, and run on one prompt.

Each has a home and a folder of its own, asks nobody whether it may use its tools, and reaches nothing but 127.0.0.1:
what it wants to know of the world outside (versions, prices, telemetry) goes to a proxy that isn't there.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.external.catalogue import EXTERNAL
from tests.support.external.programs import NODE
from tests.support.prerequisites import unavailable

# Nobody listens there.
NOWHERE = "http://127.0.0.1:9"
TIME_LIMIT = 180.0
# The picture in the folder, for those that look at one.
PICTURE = "picture.png"


@dataclass(frozen=True)
class Workplace:
    """A home and a working folder for one run, and the server to ask: its address with `/v1`, a key and a model."""

    home: Path
    folder: Path
    url: str
    key: str
    model: str


@dataclass(frozen=True)
class Run:
    """How a program is run. program: below tests/external. files: of the home, by their paths. stdin: what it reads."""

    program: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""


def _qwen_code(place: Workplace, prompt: str) -> Run:
    settings = {
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
        "memory": {"enableManagedAutoMemory": False, "enableManagedAutoDream": False},
        "model": {"generationConfig": {"modalities": {"image": True}}},
    }
    return Run(
        "npm/qwen-code/node_modules/@qwen-code/qwen-code/cli-entry.js",
        ["--auth-type", "openai", "--yolo", "--prompt", prompt],
        {"OPENAI_BASE_URL": place.url, "OPENAI_API_KEY": place.key, "OPENAI_MODEL": place.model},
        {".qwen/settings.json": json.dumps(settings)},
    )


def _opencode(place: Workplace, prompt: str) -> Run:
    modalities = {"input": ["text", "image"], "output": ["text"]}
    model = {"name": "Ours", "tool_call": True, "attachment": True, "modalities": modalities}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Gateway",
        "options": {"baseURL": place.url, "apiKey": place.key},
        "models": {place.model: model},
    }
    settings = {
        "autoupdate": False,
        "share": "disabled",
        "model": f"gateway/{place.model}",
        "small_model": f"gateway/{place.model}",
        "provider": {"gateway": provider},
    }
    return Run(
        "npm/opencode/node_modules/opencode-linux-x64/bin/opencode",
        ["run", "--pure", "--auto", *(["--file", PICTURE] if (place.folder / PICTURE).exists() else [])],
        {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
        {".config/opencode/opencode.json": json.dumps(settings)},
        # As an argument it would be put into quotation marks.
        prompt,
    )


def _cline(place: Workplace, prompt: str) -> Run:
    name = "openai-compatible"
    settings = {"provider": name, "apiKey": place.key, "model": place.model, "baseUrl": place.url}
    known = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    model = {"id": place.model, "capabilities": ["streaming", "tools", "images"]}
    models = {"provider": {"name": "Gateway", "baseUrl": place.url}, "models": {place.model: model}}
    files = {
        "providers": {"version": 1, "lastUsedProvider": name, "modes": {}, "providers": {name: known}},
        "models": {"version": 1, "providers": {name: models}},
        "global-settings": {"telemetryOptOut": True, "autoUpdateEnabled": False},
    }
    return Run(
        "npm/cline/node_modules/@cline/cli-linux-x64/bin/cline",
        ["--json", prompt],
        # Otherwise it leaves a daemon behind.
        {"CLINE_SESSION_BACKEND_MODE": "local"},
        {f".cline/data/settings/{file}.json": json.dumps(content) for file, content in files.items()},
    )


def _continue(place: Workplace, prompt: str) -> Run:
    server = {"provider": "openai", "apiBase": place.url, "apiKey": place.key}
    model = {**server, "name": "Ours", "model": place.model, "roles": ["chat"], "capabilities": ["tool_use"]}
    settings = {"name": "test", "version": "1.0.0", "schema": "v1", "models": [model]}
    return Run(
        "npm/continue/node_modules/@continuedev/cli/dist/cn.js",
        ["--print", "--auto", "--config", str(place.home / "config.yaml"), prompt],
        {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_METRICS_ENABLED": "0"},
        {"config.yaml": json.dumps(settings)},
    )


def _aider(place: Workplace, prompt: str) -> Run:
    model = f"openai/{place.model}"
    known = {"max_input_tokens": 100_000, "litellm_provider": "openai", "mode": "chat", "supports_vision": True}
    quiet = [
        "--no-analytics",
        "--no-check-update",
        "--no-show-model-warnings",
        "--no-show-release-notes",
        "--no-pretty",
    ]
    working = ["--yes-always", "--no-git", "--edit-format", "whole"]
    models = ["--model", model, "--model-metadata-file", str(place.home / "models.json")]
    files = [path.name for path in place.folder.iterdir()]
    return Run(
        ".venv-aider/bin/aider",
        [*quiet, *working, *models, "--message", prompt, *files],
        {"OPENAI_API_BASE": place.url, "OPENAI_API_KEY": place.key},
        {"models.json": json.dumps({model: known})},
    )


def _gptme(place: Workplace, prompt: str) -> Run:
    return Run(
        ".venv-gptme/bin/gptme",
        # A name of its own, or it asks the model for one.
        ["--non-interactive", "--name", "test", "--model", f"local/{place.model}", prompt],
        {"OPENAI_BASE_URL": place.url, "OPENAI_API_KEY": place.key},
    )


def _codex(place: Workplace, prompt: str) -> Run:
    settings = f"""
model = "{place.model}"
model_provider = "gateway"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.gateway]
name = "Gateway"
base_url = "{place.url}"
env_key = "GATEWAY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""
    pictures = ["--image", PICTURE] if (place.folder / PICTURE).exists() else []
    return Run(
        "npm/codex/node_modules/@openai/codex/bin/codex.js",
        # As an argument it would be taken for one more picture.
        ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", *pictures],
        {"GATEWAY_KEY": place.key},
        {".codex/config.toml": settings},
        prompt,
    )


def _claude_code(place: Workplace, prompt: str) -> Run:
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"}
    server = {"ANTHROPIC_BASE_URL": place.url.removesuffix("/v1"), "ANTHROPIC_AUTH_TOKEN": place.key}
    return Run(
        "npm/claude-code/node_modules/@anthropic-ai/claude-code-linux-x64/claude",
        ["--print", "--model", place.model, "--allowedTools=Bash,Read,Write"],
        {**server, **quiet},
        stdin=prompt,
    )


RUNS: dict[str, Callable[[Workplace, str], Run]] = {
    "aider": _aider,
    "claude-code": _claude_code,
    "cline": _cline,
    "codex": _codex,
    "continue": _continue,
    "gptme": _gptme,
    "opencode": _opencode,
    "qwen-code": _qwen_code,
}


def run_command(name: str, place: Workplace, prompt: str, *options: str) -> str:
    """Run a program on a prompt, with further options, up to its end, which must be a good one; return its output."""
    run = RUNS[name](place, prompt)
    program = EXTERNAL / run.program
    if not program.exists() or not NODE.exists():
        unavailable(f"{name}: run tests/external/setup.sh")
    for path, content in run.files.items():
        (place.home / path).parent.mkdir(parents=True, exist_ok=True)
        (place.home / path).write_text(content)
    command = [NODE / "node", program] if program.suffix == ".js" else [program]
    with subprocess.Popen(
        [*command, *run.arguments, *options],
        cwd=place.folder,
        env=_environment(place) | run.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(run.stdin, TIME_LIMIT)
        finally:
            _end_group(process.pid)
    assert process.returncode == 0, output
    return output


def _environment(place: Workplace) -> dict[str, str]:
    proxies = {name: NOWHERE for way in ("HTTP_PROXY", "HTTPS_PROXY") for name in (way, way.lower())}
    direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    terminal = {"LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}
    return {"PATH": f"{NODE}:{os.environ['PATH']}", "HOME": str(place.home), **terminal, **proxies, **direct}


def _end_group(group: int) -> None:
    """End what a program has left behind."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
