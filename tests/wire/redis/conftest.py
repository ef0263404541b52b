"""Servers that tests of several kinds of connections have."""

from collections.abc import Iterator

import pytest

from tests.support.replicated_servers import ReplicatedServers, replicated_servers


@pytest.fixture
def servers() -> Iterator[ReplicatedServers]:
    """A primary and a replica."""
    with replicated_servers() as servers:
        yield servers
