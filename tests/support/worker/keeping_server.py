"""A server of the OpenAI API that keeps its connections, unless a test wants them closed."""

import asyncio

from tests.support.worker.openai_server import OpenAIServer


class KeepingServer(OpenAIServer):
    """Answers one question after the other on each connection; `close_idle` closes them all."""

    def __init__(self) -> None:
        super().__init__()
        self._writers: list[asyncio.StreamWriter] = []

    def close_idle(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while not writer.is_closing():
            await self.read_request(reader)
            await self.play(writer)
