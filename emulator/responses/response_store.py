"""Responses that were stored, for questions after them and for whoever asks for them again."""

from collections import OrderedDict
from dataclasses import dataclass

from emulator.json_text import Json

LIMIT = 10_000


@dataclass(frozen=True)
class RememberedResponse:
    """A response. items: all that was before it, in order. body: as it was sent."""

    items: tuple[Json, ...]
    body: Json

    @property
    def history(self) -> tuple[Json, ...]:
        """The items before it and its own."""
        return (*self.items, *self.body["output"])


class ResponseStore:
    """Responses by id; beyond `limit` the oldest is forgotten."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._responses: OrderedDict[str, RememberedResponse] = OrderedDict()
        self._limit = limit

    def add(self, response: RememberedResponse) -> None:
        """Store a response."""
        self._responses[response.body["id"]] = response
        if len(self._responses) > self._limit:
            self._responses.popitem(last=False)

    def find(self, name: str) -> RememberedResponse | None:
        """Return the response of an id, None if it isn't known."""
        return self._responses.get(name)

    def find_item(self, name: str) -> Json | None:
        """Return the item of an id in any stored response, None if it isn't known."""
        for response in reversed(self._responses.values()):
            for item in response.history:
                if item.get("id") == name:
                    return item
        return None

    def clear(self) -> None:
        """Forget every response."""
        self._responses.clear()
