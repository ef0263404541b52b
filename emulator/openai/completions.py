"""POST /v1/chat/completions: the question, what happens to it, and its place in the ledger."""

from collections.abc import Iterable

from aiohttp import web

from emulator import call_directives, received_request
from emulator.accounts import DAY, EmulatorAccount
from emulator.directives import Directives
from emulator.ledger import TurnEntry, finish
from emulator.openai import (
    api_keys,
    error_response,
    message_history,
    models,
    outcomes,
    refusals,
    replies,
    request_body,
    server_styles,
    shapes,
)
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import CompletionMessage, MessageHistory
from emulator.openai.outcomes import CompletionOutcome, ShapeOutcome
from emulator.openai.request_body import CompletionBody
from emulator.openai.responders import CompletionResponder, StreamResponder, WholeResponder
from emulator.openai.threads import ThreadIndex
from emulator.openai.turn import CompletionTurn
from emulator.pacing import Pacer
from emulator.state import EmulatorState

CHARACTERS = 4  # about so many make a token
REMEMBERED = 200  # characters of the question before, as with Bing
NAMES = outcomes.names("chat")


class CompletionHandler:
    """The endpoint that answers a list of messages."""

    def __init__(self, state: EmulatorState, threads: ThreadIndex) -> None:
        self._state = state
        self._threads = threads

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a question, as scripted. One whose body is wrong is not listed in the ledger."""
        account = api_keys.find_account(request, self._state)
        key_error = api_keys.check(account, self._state)
        try:
            body = request_body.parse(await request.read())
        except BadRequestError as error:
            return (key_error or error.response).render()
        history = message_history.split_question(body.messages)
        entry = self._enter(request, account, body, history)
        try:
            if key_error is not None:
                return self._refuse(entry, "unauthorized", key_error)
            if not models.is_known(body.model):
                return self._refuse(entry, "model-not-found", error_response.no_model(body.model))
            return await self._answer(request, account, entry, body, history)
        except ConnectionError:
            raise web.HTTPServiceUnavailable from None  # nobody is left who could read it
        finally:
            finish(entry, "client gone", self._state.clock.now())

    def _enter(
        self, request: web.Request, account: EmulatorAccount, body: CompletionBody, history: MessageHistory
    ) -> TurnEntry:
        """List a question in the ledger."""
        thread = self._threads.enter(history.questions, history.question)
        entry = TurnEntry(
            started=self._state.clock.now(),
            account=account.name,
            conversation=thread.id,
            invocation=str(thread.requests),
            question=history.question,
            start_of_session=not history.questions,
            tone=body.tone,
            context=history.context,
            api="openai",
            model=body.model,
            messages=len(history.before),
            digest=history.digest,
            request=received_request.describe(body.value, request.headers, body.pictures),
        )
        self._state.ledger.add_turn(entry)
        return entry

    def _refuse(self, entry: TurnEntry, name: str, error: ErrorResponse) -> web.Response:
        entry.scripted = name
        finish(entry, refusals.CHAT[name].outcome, self._state.clock.now())
        return error.render()

    async def _answer(
        self,
        request: web.Request,
        account: EmulatorAccount,
        entry: TurnEntry,
        body: CompletionBody,
        history: MessageHistory,
    ) -> web.StreamResponse:
        now = self._state.clock.now()
        if account.is_over_quota(self._state.settings.daily_quota, now):
            entry.scripted = "throttled"
            finish(entry, "Throttled", now)
            return refusals.throttled(max(1.0, account.window_start + DAY - now))
        directives = self._read_directives(account, history.question)
        entry.scripted = directives.outcome or "plain"
        outcome = outcomes.CHAT[entry.scripted]
        if isinstance(outcome, ShapeOutcome):
            return await self._send_shape(request, entry, directives)
        if not isinstance(outcome, CompletionOutcome):
            finish(entry, outcome.outcome, now)
            return outcome.render(directives.number)
        reply = self._state.accounts.take_reply(account.name)
        turn = message_history.open_turn(body.messages)
        style = server_styles.find(body.model, turn.directives.server if reply is None else reply.server)
        try:
            style.check(body)
        except BadRequestError as error:
            finish(entry, "InvalidRequest", now)
            return error.response.render()
        account.count_question(now)
        prompt = create_turn(body, history, directives, now)
        prompt.style = style
        if int(entry.invocation) > 1:
            prompt.cached_tokens = count_tokens(history.before)
        prompt.reply, prompt.is_ordinary = (reply, False) if reply else replies.compose(body, turn, prompt)
        prompt.extra_fields = reply.extra if reply else {}
        responder = self._create_responder(request, prompt, entry, outcome)
        return await responder.play(outcome.scenario(prompt), Pacer(self._state.settings.pace))

    async def _send_shape(self, request: web.Request, entry: TurnEntry, directives: Directives) -> web.StreamResponse:
        rows = shapes.load_shapes()
        shape = rows[min(int(directives.number or 0), len(rows) - 1)]
        entry.scripted = shape.name
        response = await shapes.send(request, shape)
        finish(entry, "shape", self._state.clock.now())
        return response

    def _read_directives(self, account: EmulatorAccount, question: str) -> Directives:
        """Return the directives of a question, over which those scripted for the account prevail."""
        _, plain = call_directives.parse(question)
        directives = self._state.read_directives(plain, NAMES)
        script = self._state.take_script(account.name, "chat", NAMES)
        return directives if script is None else directives.override(script)

    def _create_responder(
        self, request: web.Request, turn: CompletionTurn, entry: TurnEntry, outcome: CompletionOutcome
    ) -> CompletionResponder:
        if turn.stream:
            return StreamResponder(request, turn, entry, self._state.clock, outcome.layout)
        return WholeResponder(request, turn, entry, self._state.clock)


def create_turn(body: CompletionBody, history: MessageHistory, directives: Directives, now: float) -> CompletionTurn:
    """Return the turn of a question."""
    previous = None
    if history.questions:
        _, plain = call_directives.parse(history.questions[-1])
        previous = Directives.parse(plain, NAMES).topic[:REMEMBERED]
    return CompletionTurn(
        directives=directives,
        question=history.question,
        tone=body.tone,
        previous=previous,
        number=len(history.questions) + 1,
        model=body.model,
        stream=body.stream,
        include_usage=body.include_usage,
        prompt_tokens=count_tokens(body.messages),
        created=int(now),
        parameters=body.parameters,
        old=body.tools.old,
    )


def count_tokens(messages: Iterable[CompletionMessage]) -> int:
    """Return about how many tokens messages have."""
    return sum(1 + len(message.text) // CHARACTERS for message in messages)
