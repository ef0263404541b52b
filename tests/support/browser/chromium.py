"""Debian's Chromium, and the system whose pages it opens."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, sync_playwright

from tests.support.prerequisites import unavailable
from tests.support.processes import Deployment

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Run a Chromium without a window, with more flags."""
    executable = shutil.which("chromium")
    if executable is None:
        unavailable("Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_FLAGS, *flags], env=dict(os.environ))
        yield browser
        browser.close()


@dataclass(frozen=True)
class System:
    """Two gateways and two workers on a Redis, with the stand-in, and answers that are played."""

    deployed: Deployment
    redis_url: str

    @property
    def url(self) -> str:
        return self.deployed.url
