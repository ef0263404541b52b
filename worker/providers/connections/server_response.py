"""A server's response, whose body is read as it arrives."""

from collections.abc import AsyncIterator, Mapping

from worker.providers.connections.http_connection import HttpConnection


class ServerResponse:
    """The status and the headers, with lower-case names, and the body, which is read once."""

    def __init__(self, connection: HttpConnection) -> None:
        self._connection = connection
        self.status_code = connection.status
        self.headers: Mapping[str, str] = connection.headers

    @property
    def is_success(self) -> bool:
        """Whether the server has done what it was asked for."""
        return 200 <= self.status_code < 300

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, without its chunks' lengths. httpx.HTTPError."""
        while part := await self._connection.read():
            yield part
