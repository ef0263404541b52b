"""The command `bing-chat-gateway`, or from a checkout `python -m bing_chat_gateway`."""

import signal
import sys
from pathlib import Path

# Where the wheel has the packages that lie beside this one in a checkout: docs/decisions/0038-one-name-in-the-wheel.md.
_INSTALLED = Path(__file__).parent / "_app"


def main(name: str = "bing-chat-gateway") -> None:
    """Run the command line, in which the command has this name."""
    if _INSTALLED.is_dir():
        sys.path.insert(0, str(_INSTALLED))
    # Ctrl-C in the middle of an import would print a traceback, or be lost where the import catches everything.
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bing_chat_gateway.command import app

    signal.signal(signal.SIGINT, handler)
    app(prog_name=name)


if __name__ == "__main__":
    main("python -m bing_chat_gateway")
