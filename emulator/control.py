"""The endpoints by which tests look in and give orders."""

from aiohttp import web

from emulator import script
from emulator.state import EmulatorState


class ControlApi:
    """The ledger, the script and the health check."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of these endpoints."""
        return [
            web.get("/_ledger", self.show_ledger),
            web.delete("/_ledger", self.clear_ledger),
            web.post("/_script", self.run_script),
            web.get("/_health", self.show_health),
        ]

    async def show_ledger(self, _request: web.Request) -> web.Response:
        """Answer GET /_ledger."""
        return web.Response(body=self._state.ledger.encode(), content_type="application/json")

    async def clear_ledger(self, _request: web.Request) -> web.Response:
        """Answer DELETE /_ledger."""
        self._state.ledger.clear()
        return web.json_response({"cleared": True})

    async def run_script(self, request: web.Request) -> web.Response:
        """Answer POST /_script, with status 400 and one sentence if the order is wrong."""
        try:
            script.run(await request.read(), self._state)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"done": True})

    async def show_health(self, _request: web.Request) -> web.Response:
        """Answer GET /_health."""
        return web.json_response({"status": "ok"})
