"""Where a stand-in runs: the copy of the checkout, the folder in place of the machine, and what really answers."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs.programs.arguments import require


@dataclass(frozen=True)
class Place:
    """The folders and addresses of one page's run."""

    checkout: Path
    machine: Path
    gateway: str
    emulator: str
    redis: str
    cookies: Path

    def settings(self) -> dict[str, str]:
        """Return the settings of our programs where a page gives none."""
        return {
            "REDIS_URL": f"redis://{self.redis}/0",
            "COOKIES_DIR": f"{self.cookies}",
            "BING_CREATE_URL": f"http://{self.emulator}/turing/conversation/create",
            "BING_CHAT_URL": f"ws://{self.emulator}/sydney/ChatHub",
            "BING_IMAGE_URL": f"http://{self.emulator}",
        }


def real(name: str) -> str:
    """Return the path of the program itself that a stand-in is in front of."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    require(found, f"{name} is not installed")
    return found or name


def current() -> Place:
    """Return the place that page_run has set."""
    gateway, emulator, redis, cookies = os.environ["DOCS_SERVICES"].split("\t")
    checkout, machine = (Path(os.environ[name]) for name in ("DOCS_CHECKOUT", "DOCS_MACHINE"))
    return Place(checkout, machine, gateway, emulator, redis, Path(cookies))
