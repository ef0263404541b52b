"""Bing's images through BingImageCreator, used unmodified except for its HTTP session."""

import asyncio
import ssl
import warnings
from types import ModuleType

import certifi
import httpx

from wire.reasons import Reason
from wire.threads import run_sized
from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import BeforeSend, require_cookies
from worker.providers.bing.pictures import check_order, check_page, find_pictures
from worker.providers.http import open_browser, upstream_errors
from worker.providers.sent_mark import SendHook
from worker.settings import WorkerSettings

# Seconds for one request; creating images is slower than polling for them.
REQUEST_TIMEOUT = 30.0
# The limit of a page, in bytes; real ones are below 0.5 MB.
MAX_PAGE = 4 * 1024 * 1024

# The library's messages for failures that our session doesn't detect.
_OUTCOMES = {"Bad images": Reason.IMAGE_BAD, "No images": Reason.IMAGE_EMPTY}


class BingImageProvider:
    """An image provider (see worker.providers) that keeps nothing between requests but one TLS context.

    One request may take `request_timeout` seconds.
    """

    def __init__(self, settings: WorkerSettings, *, request_timeout: float = REQUEST_TIMEOUT) -> None:
        self._settings = settings
        self._creator = _load_creator()
        self._tls = ssl.create_default_context(cafile=certifi.where())
        self._timeout = httpx.Timeout(request_timeout, connect=settings.connect_timeout)

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[str, ...]:
        """Return the URLs of the images, in the order of Bing's page. UpstreamError if there are none."""
        url, headers = self._settings.bing_image_url, self._creator.HEADERS
        signed_in = require_cookies(account)
        async with open_browser(signed_in, url, headers, self._tls, self._timeout, MAX_PAGE) as browser:
            hook = SendHook(before_send)
            session = ImageSession(browser, hook, keyword)
            generator = self._creator.ImageGenAsync.__new__(self._creator.ImageGenAsync)
            generator.session, generator.quiet, generator.debug_file = session, True, None
            try:
                async with asyncio.timeout(account.answer_limit(self._settings)) as limit:
                    await generator.get_images(keyword)
            except Exception as error:
                if error is hook.veto or isinstance(error, UpstreamError):
                    raise
                if limit.expired():
                    raise UpstreamError(Reason.IMAGE_TIMEOUT, "no pictures in time") from error
                raise UpstreamError(_OUTCOMES.get(str(error), Reason.IMAGE_PROTOCOL), str(error)) from error
        if not (urls := await run_sized(len(session.page), find_pictures, session.page)):
            raise UpstreamError(Reason.IMAGE_EMPTY, "only icons")
        return urls

    async def close(self) -> None:
        """Do nothing: no resources are held."""


class ImageSession:
    """The HTTP client of ImageGenAsync, which checks the responses to a request for images of `keyword`.

    `hook` runs before the first POST. `page` is the last page of results. A page that reports a failure raises
    UpstreamError at once.
    """

    def __init__(self, browser: httpx.AsyncClient, hook: SendHook, keyword: str) -> None:
        self._browser = browser
        self._hook = hook
        self._keyword = keyword
        self.page = ""

    async def post(self, url: str, *, data: str | None = None, **_: object) -> httpx.Response:
        """Request images. Redirects are not followed; the library's time limit is ignored."""
        with upstream_errors(Reason.IMAGE_TIMEOUT):
            response = await self._browser.post(url, content=data, extensions={"trace": self._hook.trace})
        check_order(response.status_code, response.headers.get("location", ""))
        await run_sized(len(response.text), check_page, response.text, self._keyword)
        return response

    async def get(self, url: str) -> httpx.Response:
        """Open the request's page, or poll for its results."""
        with upstream_errors(Reason.IMAGE_TIMEOUT):
            response = await self._browser.get(url)
        if "/async/results/" in response.url.path:
            self.page = response.text
            await run_sized(len(self.page), check_page, self.page, self._keyword)
        return response


def _load_creator() -> ModuleType:
    """Import BingImageCreator and make its URLs relative, so that each session sets the host."""
    with warnings.catch_warnings():
        # The library's own warning: pkg_resources is deprecated.
        warnings.simplefilter("ignore")
        import BingImageCreator
    BingImageCreator.BING_URL = ""
    # It prints whole pages.
    BingImageCreator.print = lambda *_, **__: None
    creator: ModuleType = BingImageCreator
    return creator
