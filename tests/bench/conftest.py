"""What keeps the tests of commands from changing this process."""

import resource

import pytest


@pytest.fixture
def keep_the_limit_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no command raise the number of files that this process may open."""
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
