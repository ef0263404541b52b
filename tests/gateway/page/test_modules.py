"""The page's pure modules, under node's own test runner; and the libraries beside them."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.prerequisites import unavailable

HERE = Path(__file__).parent
VENDOR = HERE.parents[2] / "gateway/page/vendor"


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_modules_do_what_their_tests_say(name: str) -> None:
    node = shutil.which("node")
    if node is None:
        unavailable("Debian's nodejs")
    assert node is not None
    ended = subprocess.run([node, "--test", name], cwd=HERE, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_libraries_are_those_that_were_fetched() -> None:
    lines = [line.split("  ") for line in (VENDOR / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert {"markdown-it.mjs", "purify.mjs", "highlight.mjs"} < set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_the_lock_file_names_no_address_and_has_a_hash_for_each_package() -> None:
    lock = (VENDOR / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/')
