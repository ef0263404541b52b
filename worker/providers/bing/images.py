"""Pictures by Bing through BingImageCreator, used unmodified but for its HTTP session."""

import asyncio
import ssl
import warnings
from types import ModuleType

import certifi
import httpx

from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import BeforeSend
from worker.providers.bing.pictures import check_order, check_page, find_pictures
from worker.providers.http import open_browser, upstream_errors
from worker.providers.sent_mark import SendHook
from worker.settings import WorkerSettings

# Of one request, in seconds; ordering is slower than asking whether the pictures are there.
REQUEST_TIMEOUT = 30.0

# How the library says what our session has not already said.
_OUTCOMES = {"Bad images": "image.bad", "No images": "image.empty"}


class BingImageProvider:
    """An image provider (see worker.providers). It holds nothing between requests but one TLS context."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._creator = _load_creator()
        self._tls = ssl.create_default_context(cafile=certifi.where())
        self._timeout = httpx.Timeout(REQUEST_TIMEOUT, connect=settings.connect_timeout)

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[str, ...]:
        """Addresses of the pictures, in the order of Bing's page. UpstreamError when there are none."""
        address = self._settings.bing_image_url
        async with open_browser(account, address, self._creator.HEADERS, self._tls, self._timeout) as browser:
            mark = SendHook(before_send)
            session = ImageSession(browser, mark)
            generator = self._creator.ImageGenAsync.__new__(self._creator.ImageGenAsync)
            generator.session, generator.quiet, generator.debug_file = session, True, None
            try:
                async with asyncio.timeout(self._settings.answer_timeout) as limit:
                    await generator.get_images(keyword)
            except Exception as error:
                if error is mark.veto or isinstance(error, UpstreamError):
                    raise
                if limit.expired():
                    raise UpstreamError("image.timeout", "no pictures in time") from error
                raise UpstreamError(_OUTCOMES.get(str(error), "image.protocol"), str(error)) from error
        if not (found := find_pictures(session.page)):
            raise UpstreamError("image.empty", "only icons")
        return found

    async def close(self) -> None:
        """Nothing is held."""


class ImageSession:
    """Stands where ImageGenAsync has its httpx client: the same requests, watched.

    `mark` is set with the first POST. `page` is the last page that was asked for pictures. Pages that tell of a failure
    are UpstreamErrors at once.
    """

    def __init__(self, browser: httpx.AsyncClient, mark: SendHook) -> None:
        self._browser = browser
        self._mark = mark
        self.page = ""

    async def post(self, url: str, *, data: str | None = None, **_: object) -> httpx.Response:
        """Order pictures. Redirects are never followed, and the limit of time is ours."""
        with upstream_errors("image.timeout"):
            response = await self._browser.post(url, content=data, extensions={"trace": self._mark.trace})
        check_order(response.status_code, response.headers.get("location", ""), response.text)
        return response

    async def get(self, url: str) -> httpx.Response:
        """Open the order's page, or ask for its results."""
        with upstream_errors("image.timeout"):
            response = await self._browser.get(url)
        if "/async/results/" in response.url.path:
            self.page = response.text
            check_page(self.page)
        return response


def _load_creator() -> ModuleType:
    """Import BingImageCreator and make its addresses relative, so that each session says where they lead."""
    with warnings.catch_warnings():
        # Theirs: pkg_resources is deprecated.
        warnings.simplefilter("ignore")
        import BingImageCreator
    BingImageCreator.BING_URL = ""
    # It prints whole pages.
    BingImageCreator.print = lambda *_, **__: None
    creator: ModuleType = BingImageCreator
    return creator
