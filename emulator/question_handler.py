"""One question over an API under /v1: what happens to it, and its place in the ledger."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Generic, Protocol, TypeVar

from aiohttp import web

from emulator import call_directives, received_request
from emulator.accounts import DAY, EmulatorAccount
from emulator.directives import Directives
from emulator.json_text import Json
from emulator.ledger import Api, TurnEntry, finish
from emulator.openai import message_history
from emulator.openai.message_history import CompletionMessage, MessageHistory
from emulator.openai.threads import ThreadIndex
from emulator.sent_pictures import SentPicture
from emulator.state import EmulatorState

REMEMBERED = 200  # characters of the question before, as with Bing


class AskedBody(Protocol):
    """What every API's body has. value: as it was sent."""

    @property
    def model(self) -> str:
        """The model asked for."""

    @property
    def messages(self) -> tuple[CompletionMessage, ...]:
        """All messages, the question among them."""

    @property
    def pictures(self) -> tuple[SentPicture, ...]:
        """The pictures in all messages."""

    @property
    def tone(self) -> str | None:
        """The style that the temperature asks for."""

    @property
    def value(self) -> Json:
        """The body as it was sent."""


class RefusedRequestError(Exception):
    """A request is refused. response: what its client gets. outcome: as in the ledger."""

    def __init__(self, response: web.Response, outcome: str = "InvalidRequest") -> None:
        super().__init__(outcome)
        self.response = response
        self.outcome = outcome


B = TypeVar("B", bound=AskedBody)


class QuestionHandler(ABC, Generic[B]):
    """The way of a question, whichever API it came by; each API fills in its forms."""

    api: Api
    names: Collection[str]

    def __init__(self, state: EmulatorState, threads: ThreadIndex) -> None:
        self.state = state
        self._threads = threads

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a question, as scripted. One whose body is wrong is not listed in the ledger."""
        account = self.find_account(request)
        refused_key = self.check_key(account)
        try:
            body = self.parse(await request.read(), request.headers)
        except RefusedRequestError as error:
            return error.response if refused_key is None else refused_key
        except web.HTTPRequestEntityTooLarge as error:
            return self.too_large(error)
        history = message_history.split_question(body.messages)
        entry = self._enter(request, account, body, history)
        try:
            if refused_key is not None:
                return self._refuse(entry, "unauthorized", "UnauthorizedRequest", refused_key)
            if not self.is_known(body.model):
                return self._refuse(entry, "model-not-found", "NotFound", self.no_model(body.model))
            return await self._judge(request, account, entry, body, history)
        except RefusedRequestError as error:
            finish(entry, error.outcome, self.state.clock.now())
            return error.response
        except ConnectionError:
            raise web.HTTPServiceUnavailable from None  # nobody is left who could read it
        finally:
            finish(entry, "client gone", self.state.clock.now())

    def _enter(self, request: web.Request, account: EmulatorAccount, body: B, history: MessageHistory) -> TurnEntry:
        """List a question in the ledger."""
        thread = self._threads.enter(history.questions, history.question)
        entry = TurnEntry(
            started=self.state.clock.now(),
            account=account.name,
            conversation=thread.id,
            invocation=str(thread.requests),
            question=history.question,
            start_of_session=not history.questions,
            tone=body.tone,
            context=history.context,
            api=self.api,
            model=body.model,
            messages=len(history.before),
            digest=history.digest,
            request=received_request.describe(body.value, request.headers, body.pictures),
        )
        self.state.ledger.add_turn(entry)
        return entry

    def _refuse(self, entry: TurnEntry, name: str, outcome: str, response: web.Response) -> web.Response:
        entry.scripted = name
        finish(entry, outcome, self.state.clock.now())
        return response

    async def _judge(
        self, request: web.Request, account: EmulatorAccount, entry: TurnEntry, body: B, history: MessageHistory
    ) -> web.StreamResponse:
        now = self.state.clock.now()
        if account.is_over_quota(self.state.settings.daily_quota, now):
            return self._refuse(entry, "throttled", "Throttled", self.over_quota(account.window_start + DAY - now))
        directives = self._read_directives(account, history.question)
        entry.scripted = directives.outcome or "plain"
        return await self.answer(request, account, entry, body, history, directives)

    def _read_directives(self, account: EmulatorAccount, question: str) -> Directives:
        """Return the directives of a question, over which those scripted for the account prevail."""
        _, plain = call_directives.parse(question)
        directives = self.state.read_directives(plain, self.names)
        script = self.state.take_script(account.name, "chat", self.names)
        return directives if script is None else directives.override(script)

    @abstractmethod
    def find_account(self, request: web.Request) -> EmulatorAccount:
        """Return the account that a request's key names."""

    @abstractmethod
    def check_key(self, account: EmulatorAccount) -> web.Response | None:
        """Return the error that this account gets for everything, None if it is served."""

    @abstractmethod
    def parse(self, data: bytes, headers: Mapping[str, str]) -> B:
        """Return what a body asks for. Raises RefusedRequestError for the first thing that is wrong."""

    def too_large(self, error: web.HTTPRequestEntityTooLarge) -> web.Response:
        """Return the error for a body above the limit."""
        return error

    @abstractmethod
    def is_known(self, model: str) -> bool:
        """Return whether there is such a model."""

    @abstractmethod
    def no_model(self, name: str) -> web.Response:
        """Return the error for a model that does not exist."""

    @abstractmethod
    def over_quota(self, seconds: float) -> web.Response:
        """Return the error for a day's quota that is used up for so many seconds more."""

    @abstractmethod
    async def answer(
        self,
        request: web.Request,
        account: EmulatorAccount,
        entry: TurnEntry,
        body: B,
        history: MessageHistory,
        directives: Directives,
    ) -> web.StreamResponse:
        """Answer a question as its directives ask. Raises RefusedRequestError."""


def previous_question(history: MessageHistory, names: Collection[str]) -> str | None:
    """Return the beginning of the question before, without its directives."""
    if not history.questions:
        return None
    _, plain = call_directives.parse(history.questions[-1])
    return Directives.parse(plain, names).topic[:REMEMBERED]
