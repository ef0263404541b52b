"""The site's messages, extracted once."""

from pathlib import Path

import pytest

from tools import site


@pytest.fixture(scope="session")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of the English sentences of each page."""
    folder = tmp_path_factory.mktemp("messages")
    site.extract_messages(folder)
    return folder
