"""POST /v1/chat/completions: the question, what happens to it, and its place in the ledger."""

from collections.abc import Iterable, Mapping

from aiohttp import web

from emulator import question_handler
from emulator.accounts import EmulatorAccount
from emulator.directives import Directives
from emulator.ledger import Api, TurnEntry, finish
from emulator.openai import (
    message_history,
    outcomes,
    replies,
    request_body,
    server_styles,
    shapes,
)
from emulator.openai.error_response import BadRequestError
from emulator.openai.message_history import CompletionMessage, MessageHistory
from emulator.openai.openai_handler import OpenaiHandler
from emulator.openai.outcomes import CompletionOutcome, ShapeOutcome
from emulator.openai.request_body import CompletionBody
from emulator.openai.responders import CompletionResponder, StreamResponder, WholeResponder
from emulator.openai.turn import CompletionTurn
from emulator.pacing import Pacer
from emulator.question_handler import RefusedRequestError

CHARACTERS = 4  # about so many make a token
NAMES = outcomes.names("chat")


class CompletionHandler(OpenaiHandler[CompletionBody]):
    """The endpoint that answers a list of messages."""

    api: Api = "openai"
    names = NAMES
    turn_type: type[CompletionTurn] = CompletionTurn

    def parse(self, data: bytes, _headers: Mapping[str, str]) -> CompletionBody:
        """Return what a body asks for. Raises RefusedRequestError."""
        try:
            return request_body.parse(data)
        except BadRequestError as error:
            raise RefusedRequestError(error.response.render()) from error

    async def answer(
        self,
        request: web.Request,
        account: EmulatorAccount,
        entry: TurnEntry,
        body: CompletionBody,
        history: MessageHistory,
        directives: Directives,
    ) -> web.StreamResponse:
        """Answer a question as its directives ask. Raises RefusedRequestError."""
        now = self.state.clock.now()
        outcome = outcomes.CHAT[entry.scripted]
        if isinstance(outcome, ShapeOutcome):
            return await self._send_shape(request, entry, directives)
        if not isinstance(outcome, CompletionOutcome):
            finish(entry, outcome.outcome, now)
            return outcome.render(directives.number)
        reply = self.state.accounts.take_reply(account.name)
        turn = message_history.open_turn(body.messages)
        style = server_styles.find(body.model, turn.directives.server if reply is None else reply.server)
        try:
            style.check(body)
        except BadRequestError as error:
            raise RefusedRequestError(error.response.render()) from error
        account.count_question(now)
        prompt = create_turn(body, history, directives, now, self.turn_type)
        prompt.style = style
        if int(entry.invocation) > 1:
            prompt.cached_tokens = count_tokens(history.before)
        prompt.reply, prompt.is_ordinary = (reply, False) if reply else replies.compose(body, turn, prompt)
        prompt.extra_fields = reply.extra if reply else {}
        responder = self._create_responder(request, prompt, entry, outcome)
        return await responder.play(outcome.scenario(prompt), Pacer(self.state.settings.pace))

    async def _send_shape(self, request: web.Request, entry: TurnEntry, directives: Directives) -> web.StreamResponse:
        rows = shapes.load_shapes()
        shape = rows[min(int(directives.number or 0), len(rows) - 1)]
        entry.scripted = shape.name
        response = await shapes.send(request, shape)
        finish(entry, "shape", self.state.clock.now())
        return response

    def _create_responder(
        self, request: web.Request, turn: CompletionTurn, entry: TurnEntry, outcome: CompletionOutcome
    ) -> CompletionResponder:
        if turn.stream:
            return StreamResponder(request, turn, entry, self.state.clock, outcome.layout)
        return WholeResponder(request, turn, entry, self.state.clock)


def create_turn(
    body: CompletionBody, history: MessageHistory, directives: Directives, now: float, turn_type: type[CompletionTurn]
) -> CompletionTurn:
    """Return the turn of a question."""
    return turn_type(
        directives=directives,
        question=history.question,
        tone=body.tone,
        previous=question_handler.previous_question(history, NAMES),
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
