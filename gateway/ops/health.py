"""Health checks: whether the process is alive, and whether it should get work."""

import json
from dataclasses import dataclass
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.drain import ActiveRequests
from gateway.http.responses import NO_STORE, Count
from wire.errors import StoreUnavailableError
from wire.sessions import Sessions
from wire.store_memory import StoreMemory


class Liveness(msgspec.Struct):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct):
    """Whether the process should get work, and what that depends on.

    `degraded`: Redis is nearly full, so that some or all questions are refused until it has room again.
    """

    ready: bool
    redis: bool
    workers: Count
    draining: bool
    degraded: bool


@dataclass(frozen=True)
class HealthEndpoints:
    """The endpoints for operators and load balancers."""

    sessions: Sessions
    active_requests: ActiveRequests
    memory: StoreMemory

    async def healthz(self, _: Request) -> Response:
        """Return 200: the process answers."""
        return _json(Liveness(), 200)

    async def readyz(self, _: Request) -> Response:
        """Return 200 when Redis answers, a worker with an account is alive and the process doesn't drain; else 503."""
        try:
            redis, workers = True, len(await self.sessions.list_available_workers())
            degraded = (await self.memory.read()).is_degraded
        except StoreUnavailableError:
            redis, workers, degraded = False, 0, False
        draining = self.active_requests.draining
        ready = redis and workers > 0 and not draining
        return _json(Readiness(ready, redis, workers, draining, degraded), 200 if ready else 503)


def _json(content: Liveness | Readiness, status: int) -> Response:
    return Response(json.dumps(msgspec.to_builtins(content)), status, NO_STORE, "application/json")
