"""How many answers each client follows at this gateway: whoever follows one costs as much as whoever asked for it.

Each event is made into a frame for each that follows. A client with a few questions, and thousands that follow them,
would leave the process no time for others.
"""

from collections import Counter

from wire.errors import ClientFullError
from wire.jobs import Client

# For each question that a client may have, so many may follow: those whose connection broke are noticed a minute later.
_FOR_EACH = 4
# So many may in any case: a page that is loaded again comes back for all that it shows.
_FEWEST = 64
# Seconds after which whoever was refused may come back.
_COME_BACK = 1


class Followers:
    """Counts what each client follows. `client_limit` is how many questions one may have that has no limit of its own.

    As for questions, who has no name isn't counted.
    """

    def __init__(self, client_limit: int) -> None:
        self._client_limit = client_limit
        self._counts: Counter[str] = Counter()

    def enter(self, client: Client) -> None:
        """Count one more. ClientFullError, and it isn't counted, if the client follows enough."""
        limit = self._client_limit if client.limit is None else client.limit
        if client.name and self._counts[client.name] >= max(_FEWEST, _FOR_EACH * limit):
            raise ClientFullError(_COME_BACK)
        self._counts[client.name] += 1

    def leave(self, client: Client) -> None:
        """Count one less, which had entered."""
        self._counts[client.name] -= 1
        if not self._counts[client.name]:
            del self._counts[client.name]
