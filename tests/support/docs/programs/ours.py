"""Our own programs, run for real. What would serve until it is ended is ended once it serves."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.docs.programs.arguments import parse, require, words
from tests.support.docs.programs.place import current, real

_START_LIMIT = 60.0
_MODULES = ("gateway", "worker", "emulator", "bing_chat_gateway")
_ADDRESS = {
    "serve": ("GATEWAY_PORT", "/readyz"),
    "gateway": ("GATEWAY_PORT", "/healthz"),
    "emulator": ("EMULATOR_PORT", "/_health"),
}
# Modules for developers: they take minutes, so only what their parsers say of the arguments counts.
_KITS = ("bench", "bench.overload", "bench.scenario", "tools.soak", "tools.screenshots", "locust")


def bing_chat_gateway(arguments: Sequence[str]) -> int:
    """Run the installed command."""
    return _run_module("bing_chat_gateway", arguments)


def python(arguments: Sequence[str]) -> int:
    """Run Python, on modules of ours as above."""
    if not arguments or arguments[0] != "-m":
        os.execv(sys.executable, [sys.executable, *arguments])
    module, *rest = arguments[1:]
    if module in _MODULES:
        return _run_module(module, rest)
    if module == "venv":
        return _make_environment(rest)
    if module == "pytest":
        return _check_tests(rest)
    if module == "bench.report":
        require(len(rest) == 1, "one folder")
        return 0
    if module in _KITS:
        return _check_kit(module, rest)
    if module == "pip":
        os.execv(current().checkout / ".venv/bin/pip", ["pip", *rest])
    return subprocess.run([sys.executable, *arguments], check=False).returncode


def make(arguments: Sequence[str]) -> int:
    """Print what make would do, which shows that it can; `make run` serves."""
    parsed = parse(arguments, words("-n -s -j --quiet"), words("-C"))
    variables = dict(argument.split("=", 1) for argument in parsed.rest if "=" in argument)
    done = subprocess.run([real("make"), "--dry-run", *arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        return done.returncode
    if "run" in parsed.rest:
        os.environ.update(variables)
        return _run_module("bing_chat_gateway", ["serve"])
    return 0


def _run_module(module: str, arguments: Sequence[str]) -> int:
    place = current()
    environment = place.settings() | os.environ
    name = module if module != "bing_chat_gateway" else next((word for word in arguments if word[0] != "-"), "")
    is_service = name in _ADDRESS or (name == "worker" and list(arguments) in ([], ["worker"]))
    if is_service and "--help" not in arguments:
        return _serve(name, module, list(arguments), environment)
    return _Started(module, arguments, environment).wait()


class _Started:
    """A program of ours that the runner of the pages has started (launcher.py)."""

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        link = socket.socket(socket.AF_UNIX)
        link.connect(os.environ["DOCS_LAUNCHER"])
        self._file = link.makefile("rw")
        request = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": os.getcwd(),
            "pid": os.getpid(),
        }
        self._file.write(json.dumps(request) + "\n")
        self._file.flush()
        self._pid = int(self._file.readline())

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGINT)

    def has_ended(self) -> bool:
        """Whether it has ended, or is about to be waited for."""
        return not Path(f"/proc/{self._pid}").exists()

    def wait(self) -> int:
        """Return its exit code."""
        return int(self._file.readline())


def _serve(service: str, module: str, arguments: list[str], environment: Mapping[str, str]) -> int:
    """Start a service on a free port, wait until it serves, and end it as Ctrl-C does."""
    port = _free_port()
    setting, path = _ADDRESS.get(service, ("METRICS_PORT", "/metrics"))
    if "--port" in arguments:
        arguments[arguments.index("--port") + 1] = f"{port}"
    running = _Started(module, arguments, {**environment, setting: f"{port}"})
    deadline = time.monotonic() + _START_LIMIT
    while not _answers(f"http://127.0.0.1:{port}{path}"):
        require(not running.has_ended(), "ended by itself")
        require(time.monotonic() < deadline, f"doesn't serve {path} on {setting}")
        time.sleep(0.02)
    running.interrupt()
    code = running.wait()
    require(code == 0, f"ended with {code} on Ctrl-C")
    return 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_environment(arguments: Sequence[str]) -> int:
    """Make what looks like a virtual environment, with stand-ins for what would be installed there."""
    (folder,) = parse(arguments).rest
    programs = Path(folder) / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", "pip", "bing-chat-gateway"):
        (programs / name).unlink(missing_ok=True)
        (programs / name).symlink_to(Path(os.environ["DOCS_PROGRAMS"]) / name)
    return 0


def _check_tests(arguments: Sequence[str]) -> int:
    parsed = parse(arguments, words("-q -x -v -s"), words("-k -m -n"))
    for path in parsed.rest:
        file, _, test = path.partition("::")
        require(Path(file).exists(), f"{file} is not there")
        require(f"def {test}" in Path(file).read_text() if test else True, f"{file} has no {test}")
    return 0


def _check_kit(module: str, arguments: Sequence[str]) -> int:
    """Hold options against those that the module's --help lists."""
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    known = set(re.findall(r"(?<!\S)--?[a-z][\w-]*", done.stdout))
    for argument in arguments:
        option = argument.partition("=")[0]
        require(not option.startswith("-") or option in known, f"python -m {module} has no {option}")
    return 0
