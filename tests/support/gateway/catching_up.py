"""Streams that run as steps of their client while they catch up with their answer."""

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

import pytest

from gateway.http.long_steps import CATCH_UP, LONG, LongSteps

T = TypeVar("T")


def catching_up(patch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the client of each such stream as it begins."""
    clients: list[str] = []
    run = LongSteps.run

    def recorded(
        self: LongSteps, client: str, work: Coroutine[Any, Any, T], least: float = LONG
    ) -> Generator[Any, Any, T]:
        if least == CATCH_UP:
            clients.append(client)
        return run(self, client, work, least)

    patch.setattr(LongSteps, "run", recorded)
    return clients
