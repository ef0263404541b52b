"""The command `python -m emulator`."""

import argparse
import asyncio
import signal
import sys

import uvloop
from pydantic import ValidationError

from emulator.server import Emulator
from emulator.settings import EmulatorSettings


async def serve(settings: EmulatorSettings) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    async with Emulator(settings):
        await stop.wait()


def main() -> int:
    """Serve until a signal and return the exit status: 1 if the address is taken, 2 if a setting is wrong."""
    try:
        settings = EmulatorSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        sys.stderr.write(f"EMULATOR_{name}: {first['msg']}\n")
        return 2
    try:
        uvloop.run(serve(settings))
    except OSError as error:
        sys.stderr.write(f"emulator can't serve on {settings.host}:{settings.port}: {error.strerror or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m emulator",
        description="Run the emulator of Bing and of a model server. "
        "Settings come from the environment: docs/reference/settings.md.",
    ).parse_args()
    sys.exit(main())
