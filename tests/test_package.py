"""What is in the package, which is built here without asking any registry."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from tests.support.package.service import check_service, served
from tests.support.processes import ROOT
from wire.version import VERSION

APPLICATION = ("emulator", "gateway", "telemetry", "wire", "worker")
# For those who bring the page's libraries up to date.
LEFT_OUT = {f"gateway/page/vendor/{name}" for name in (".npmrc", "fetch.sh", "package.json", "package-lock.json")}


def build(folder: Path, source: Path, *targets: str) -> None:
    """Build the package with what is installed."""
    chosen = [option for target in targets for option in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", *chosen, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder, ROOT, "wheel", "sdist")
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(dist / f"bing_chat_gateway-{VERSION}-py3-none-any.whl") as archive:
        yield archive


@pytest.fixture(scope="module")
def unpacked(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents, as they lie in site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    wheel.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_string(wheel.read(f"bing_chat_gateway-{VERSION}.dist-info/METADATA").decode())


def sources(package: str) -> set[str]:
    """Return the files of a package in the checkout."""
    files = (path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in files} - LEFT_OUT


def test_the_wheel_has_one_name_at_its_top(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert top == {"bing_chat_gateway", f"bing_chat_gateway-{VERSION}.dist-info"}


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    inner = {f"bing_chat_gateway/_app/{name}" for package in APPLICATION for name in sources(package)}
    assert names == sources("bing_chat_gateway") | inner
    kinds = {Path(name).suffix for name in names}
    assert {".py", ".html", ".js", ".mjs", ".css", ".lua", ".svg", ".json", ".md"} <= kinds


def test_the_wheel_has_the_licences_of_what_it_contains(wheel: zipfile.ZipFile, metadata: Message) -> None:
    vendored = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gateway/page/vendor").glob("LICENSE.*")}
    assert set(metadata.get_all("License-File", [])) == {"LICENSE", *vendored}
    licences = {name for name in wheel.namelist() if "/licenses/" in name}
    assert len(licences) == 1 + len(vendored)


def test_the_wheel_needs_what_the_lists_of_gateway_and_worker_name(metadata: Message) -> None:
    listed = {"": ("wire", "gateway", "worker"), "tracing": ("tracing",)}
    needed: dict[str, set[str]] = {extra: set() for extra in listed}
    for line in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        needed["tracing" if requirement.marker else ""].add(normal(requirement))
    for extra, names in listed.items():
        lines = [line for name in names for line in (ROOT / f"requirements/{name}.in").read_text().splitlines()]
        wanted = (line.partition("#")[0].strip() for line in lines)
        assert needed[extra] == {normal(Requirement(line)) for line in wanted if line and not line.startswith("-")}


def normal(requirement: Requirement) -> str:
    """Return name, extras and versions, however they are written."""
    return f"{requirement.name.lower()}{sorted(requirement.extras)}{requirement.specifier}"


def test_the_source_distribution_makes_the_same_wheel_and_takes_the_site(
    dist: Path, wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    name, site = f"bing_chat_gateway-{VERSION}", "gateway/docs/site.zip"
    with tarfile.open(dist / f"{name}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    # Git ignores it, and it is in a checkout only where it was built.
    (tmp_path / name / site).write_bytes(b"the site")
    build(tmp_path / "dist", tmp_path / name, "wheel")
    with zipfile.ZipFile(tmp_path / "dist" / f"{name}-py3-none-any.whl") as again:
        made = {file: again.read(file) for file in again.namelist()}
    assert made.pop(f"bing_chat_gateway/_app/{site}") == b"the site"
    own = {file: wheel.read(file) for file in wheel.namelist() if not file.endswith(site)}
    records = {file for file in own if file.endswith("/RECORD")}
    assert made.keys() == own.keys()
    assert {file: made[file] for file in made.keys() - records} == {file: own[file] for file in own.keys() - records}


def test_the_wheels_contents_serve_page_documents_and_answers(unpacked: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bing_chat_gateway"]
    with served(command, tmp_path, {"PYTHONPATH": str(unpacked)}) as url:
        check_service(url)


# A provider of somebody's own, as README describes it.
ECHO = """
from worker.providers import Completion

class Echo:
    def __init__(self, settings):
        pass

    async def ask(self, account, conversation, style, question, before_send, recall=None):
        await before_send()
        yield Completion(f"echo: {question}", b"")

    async def close(self):
        pass
"""


def test_a_provider_of_ones_own_finds_the_interface_in_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "echo_provider.py").write_text(ECHO)
    settings = {"PYTHONPATH": f"{unpacked}:{tmp_path / 'own'}", "PROVIDER": "echo_provider:Echo"}
    with served([sys.executable, "-m", "bing_chat_gateway"], tmp_path, settings) as url:
        answer = httpx.get(f"{url}/api", params={"style": "balanced", "question": "hello"}, timeout=20).json()
    assert answer["data"]["answer"] == "echo: hello"
