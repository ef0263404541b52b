"""Installers of packages: what they are to install is in our lists, and nothing is fetched."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.docs.programs.arguments import parse, require, words
from tests.support.docs.programs.place import current

# Programs of others that pages start beside ours, which no test of ours installs.
_OTHERS = words("vllm pre-commit uv locust open-webui aider-chat llm sglang")
_OURS = "bing-chat-gateway"


def pip(arguments: Sequence[str]) -> int:
    """Check `pip install`."""
    flags = words("-U --upgrade -q --quiet --require-hashes --no-deps --user -e")
    parsed = parse(arguments, flags, words("-r --requirement --target --python --index-url"))
    require(parsed.rest and parsed.rest[0] == "install", f"pip {' '.join(parsed.rest[:1])} is unknown")
    for file in parsed.values("-r", "--requirement"):
        require(Path(file).exists(), f"no file {file}")
    _check(parsed.rest[1:])
    return 0


def pipx(arguments: Sequence[str]) -> int:
    """Check `pipx install` and `pipx run`."""
    command, *rest = arguments
    require(command in ("install", "upgrade", "run", "inject", "uninstall"), f"pipx {command} is unknown")
    parsed = parse(rest, words("--force"), words("--spec --python --suffix"), until_first=True)
    _check(parsed.rest[:1] + parsed.values("--spec"))
    return 0


def uvx(arguments: Sequence[str]) -> int:
    """Check the package, and run it if it is ours."""
    parsed = parse(arguments, words("-q"), words("--from --with --python"), until_first=True)
    _check(parsed.values("--from", "--with") or parsed.rest[:1])
    return subprocess.run(parsed.rest, check=False).returncode if parsed.rest[0] == _OURS else 0


def uv(arguments: Sequence[str]) -> int:
    """Check `uv tool` and `uv pip`; `uv build` makes files with the names that it gives them."""
    if arguments[0] == "build":
        kinds = parse(arguments[1:], words("--wheel --sdist"), words("-o --out-dir")).options
        Path("dist").mkdir(exist_ok=True)
        for kind, name in {"--wheel": "0.2.0-py3-none-any.whl", "--sdist": "0.2.0.tar.gz"}.items():
            if kind in kinds or len(kinds) != 1:
                Path(f"dist/bing_chat_gateway-{name}").touch()
        return 0
    first, second, *rest = arguments
    require(
        (first, second) in (("tool", "install"), ("tool", "upgrade"), ("pip", "install"), ("tool", "run")), "unknown"
    )
    return pip(["install", *rest])


def npm(arguments: Sequence[str]) -> int:
    """Check `npm install`."""
    parsed = parse(arguments, words("-g --global --silent --save-dev -D"))
    require(parsed.rest[0] in ("install", "i", "ci"), f"npm {parsed.rest[0]} is unknown")
    listed = {name for file in _files("package.json") for name in json.loads(file.read_text()).get("dependencies", {})}
    for package in parsed.rest[1:]:
        require(re.sub(r"(?<=.)@.*", "", package) in listed, f"{package} is in no package.json of the tests")
    return 0


def _files(pattern: str) -> Iterator[Path]:
    return (current().checkout / "tests").glob(f"*/{pattern}")


def _check(packages: Sequence[str]) -> None:
    lists = [*(current().checkout / "requirements").glob("*.txt"), *_files("*.txt"), *_files("requirements/*.txt")]
    listed = {name.lower() for path in lists for name in re.findall(r"^([\w.-]+)", path.read_text(), re.MULTILINE)}
    for package in packages:
        name = re.split(r"[\[=<>~!@ ]", package)[0].lower()
        is_file = re.fullmatch(r"(.*/)?bing_chat_gateway-[^*]*\.(whl|tar\.gz)(\[\w+\])?", package) is not None
        require(not is_file or Path(package.partition("[")[0]).exists(), f"no file {package}")
        require(is_file or name in (_OURS, ".") or name in listed | _OTHERS, f"{package} is in no list of requirements")
