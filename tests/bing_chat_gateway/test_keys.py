"""Keys for the files of gateways."""

import fcntl
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bing_chat_gateway.command import app
from gateway.auth.api_keys import find_key, load_keys


def new(name: str, file: Path | None = None, *options: str) -> Result:
    """Run `keys new`."""
    return CliRunner().invoke(app, ["keys", "new", name, *(["--file", str(file)] if file else []), *options])


def test_a_key_is_printed_with_the_line_for_the_file(tmp_path: Path) -> None:
    ended = new("olivia@home")
    key, line = ended.stdout.splitlines()
    (tmp_path / "keys").write_text(line)
    found = find_key(load_keys(tmp_path / "keys"), key)
    assert (ended.exit_code, found and found.name) == (0, "olivia@home")
    assert len(key) >= 43
    assert key not in line


def test_a_key_may_get_limits_models_and_a_weight_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    ended = new("olivia", file, "--daily", "200", "--weight", "4", "--models", "gpt-4o,bing-*", "--limit", "7")
    assert ended.stdout.splitlines()[1].endswith(" 7 models=gpt-4o,bing-* weight=4 daily=200")
    assert file.read_text() == ended.stdout.splitlines()[1] + "\n"
    (key,) = load_keys(file)
    assert (key.limit, key.models, key.weight, key.daily) == (7, ("gpt-4o", "bing-*"), 4, 200)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--weight", "0"], "0 is not in the range 1<=x<=100"),
        (["--weight", "101"], "101 is not in the range 1<=x<=100"),
        (["--daily", "0"], "0 is not in the range 1<=x<=999999999"),
        (["--limit", "many"], "'many' is not a valid int"),
        (["--models", "a, b"], "'a, b' can't be models: use names with commas between them"),
        (["--models", ""], "'' can't be models"),
    ],
)
def test_what_no_line_can_have_makes_no_key(tmp_path: Path, options: list[str], sentence: str) -> None:
    ended = new("olivia", tmp_path / "keys", *options)
    assert ended.exit_code != 0
    assert sentence in " ".join(ended.stderr.split())
    assert not (tmp_path / "keys").exists()


def test_two_keys_differ() -> None:
    assert new("olivia").stdout.split()[0] != new("olivia").stdout.split()[0]


def test_a_new_file_is_its_owners_alone_and_takes_further_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = [new(name, file).stdout.split()[0] for name in ("olivia", "oscar")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [find_key(load_keys(file), key).name for key in keys] == ["olivia", "oscar"]  # type: ignore[union-attr]


def test_a_file_without_a_last_line_break_and_with_comments_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# who may ask\noscar {'a' * 64} 7 # a few")
    assert new("olivia", file).exit_code == 0
    assert file.read_text().startswith(f"# who may ask\noscar {'a' * 64} 7 # a few\nolivia ")
    assert [key.name for key in load_keys(file)] == ["oscar", "olivia"]


def test_a_name_that_is_there_is_refused_and_no_key_made(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    new("olivia", file)
    before = file.read_text()
    ended = new("olivia", file)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == f"{file} has a key named olivia already\n"
    assert file.read_text() == before


@pytest.mark.parametrize("name", ["", "two words", "olivia#1", "x" * 65, "名字", "olivia\n"], ids=repr)
def test_a_bad_name_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    ended = new(name, tmp_path / "keys")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "can't be a name: use 1 to 64 letters" in ended.stderr
    assert not (tmp_path / "keys").exists()


def test_a_file_that_is_no_list_of_keys_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("buy milk\n")
    ended = new("olivia", file)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"--file: line 1 of {file} is not a name")
    assert file.read_text() == "buy milk\n"


def test_a_file_that_cannot_be_written_is_reported_in_a_sentence(tmp_path: Path) -> None:
    ended = new("olivia", tmp_path / "nowhere" / "keys")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == f"{tmp_path / 'nowhere' / 'keys'} can't be written: No such file or directory\n"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond this size, in bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 30])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, room: int) -> None:
    file = tmp_path / "keys"
    new("oscar", file)
    before = file.read_text()
    with room_for(len(before) + room):
        ended = new("olivia", file)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"{file} can't be written: " in ended.stderr
    assert file.read_text() == before


def test_of_two_at_once_the_second_sees_the_name_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"

    def wait_for_the_other(_opened: object, kind: int) -> None:
        assert kind == fcntl.LOCK_EX
        file.write_text(f"olivia {'a' * 64}\n")

    monkeypatch.setattr(fcntl, "flock", wait_for_the_other)
    assert new("olivia", file).stderr == f"{file} has a key named olivia already\n"


def test_what_is_no_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    for place in (pipe, Path("/dev/zero")):
        ended = new("olivia", place)
        assert (ended.exit_code, ended.stderr) == (1, f"{place} is not a file\n")
