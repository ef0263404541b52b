"""`python -m gateway`: one gateway process. SIGTERM drains it, SIGINT ends it at once."""

import argparse
import asyncio
import signal

import uvloop

from gateway.answering.drain import ActiveRequests
from gateway.server import serve
from gateway.settings import GatewaySettings
from telemetry import process
from telemetry.logs import configure
from telemetry.startup import load_settings
from telemetry.traces import export_spans
from wire.redis.store import Store


async def run(settings: GatewaySettings, store: Store) -> None:
    """Serve until a signal."""
    active_requests, loop = ActiveRequests(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, active_requests.drain)
    loop.add_signal_handler(signal.SIGINT, active_requests.abort)
    process.set_up()
    try:
        await serve(settings, store, active_requests)
    finally:
        await store.close()


def main() -> None:
    """Start with the environment's settings; invalid ones end the start with one sentence."""
    settings = load_settings(GatewaySettings)
    configure(settings.log_format)
    try:
        store = Store(settings.redis_url)
    except ValueError as error:
        raise SystemExit(f"{error}.") from None
    try:
        with export_spans(settings.otel_exporter_otlp_endpoint, "gateway"):
            uvloop.run(run(settings, store))
    except ValueError as error:
        raise SystemExit(f"{error}.") from None
    except OSError as error:
        where = f"{settings.gateway_host}:{settings.gateway_port}"
        raise SystemExit(f"Can't listen on {where}: {error.strerror}. GATEWAY_PORT sets the port.") from None


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m gateway",
        description="Run one gateway. Settings come from the environment: docs/reference/settings.md.",
    ).parse_args()
    main()
