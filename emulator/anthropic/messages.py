"""POST /v1/messages: the question and what happens to it."""

from collections.abc import Mapping

from aiohttp import web

from emulator import question_handler, reply
from emulator.accounts import EmulatorAccount
from emulator.anthropic import (
    api_keys,
    error_response,
    message_checks,
    models,
    outcomes,
    prompt_cache,
    rate_limits,
    refusals,
    request_body,
)
from emulator.anthropic.error_response import MessageError, invalid
from emulator.anthropic.outcomes import MessageOutcome
from emulator.anthropic.prompt_cache import PromptCache
from emulator.anthropic.request_body import MessageBody
from emulator.anthropic.thought_signatures import ThoughtSignatures
from emulator.anthropic.turn import MessageTurn
from emulator.anthropic.whole_message import fold
from emulator.directives import Directives
from emulator.event_stream import EventStreamResponder, WholeBodyResponder
from emulator.ledger import TurnEntry, finish
from emulator.openai import message_history
from emulator.openai.message_history import MessageHistory
from emulator.openai.threads import ThreadIndex
from emulator.pacing import Pacer
from emulator.question_handler import QuestionHandler, RefusedRequestError
from emulator.reply import ReplyTask, ScriptedReply
from emulator.responder import AnswerResponder
from emulator.state import EmulatorState

NAMES = outcomes.names("chat")
THOUGHTS = 3  # of a request that asks for any
MOST_INPUT = {"stand-in-mini": 200_000}  # tokens


class MessageHandler(QuestionHandler[MessageBody]):
    """The endpoint that answers a list of messages."""

    api = "anthropic"
    names = NAMES

    def __init__(self, state: EmulatorState, threads: ThreadIndex, signatures: ThoughtSignatures) -> None:
        super().__init__(state, threads)
        self._cache, self._signatures = PromptCache(), signatures
        state.reset_hooks += [self._cache.clear, signatures.clear]

    def find_account(self, request: web.Request) -> EmulatorAccount:
        """Return the account that the key names."""
        return api_keys.find_account(request, self.state)

    def check_key(self, account: EmulatorAccount) -> web.Response | None:
        """Return the error that this account gets for everything."""
        error = api_keys.check(account, self.state)
        return None if error is None else error.render()

    def parse(self, data: bytes, headers: Mapping[str, str]) -> MessageBody:
        """Return what a body asks for. Raises RefusedRequestError."""
        try:
            return request_body.parse(data, headers)
        except MessageError as error:
            raise RefusedRequestError(error.response.render()) from error

    def too_large(self, _error: web.HTTPRequestEntityTooLarge) -> web.Response:
        """Return the error for a body above the limit."""
        return error_response.too_large().render()

    def is_known(self, model: str) -> bool:
        """Return whether there is such a model."""
        return models.is_known(model)

    def no_model(self, name: str) -> web.Response:
        """Return the error for a model that does not exist."""
        return error_response.no_model(name).render()

    def over_quota(self, seconds: float) -> web.Response:
        """Return the error for a quota that is used up."""
        return refusals.throttled(max(1.0, seconds))

    async def answer(
        self,
        request: web.Request,
        account: EmulatorAccount,
        entry: TurnEntry,
        body: MessageBody,
        history: MessageHistory,
        directives: Directives,
    ) -> web.StreamResponse:
        """Answer a question as its directives ask. Raises RefusedRequestError."""
        outcome = outcomes.CHAT[entry.scripted]
        if not isinstance(outcome, MessageOutcome):
            finish(entry, outcome.outcome, self.state.clock.now())
            return outcome.render(directives.number)
        self._check(body)
        account.count_question(self.state.clock.now())
        turn = self._create_turn(account, body, history, directives)
        scripted = self.state.accounts.take_reply(account.name)
        turn.reply, turn.is_ordinary = (scripted, False) if scripted else compose(body, turn)
        responder = self._create_responder(request, turn, entry, outcome)
        return await responder.play(outcome.scenario(turn), Pacer(self.state.settings.pace))

    def _check(self, body: MessageBody) -> None:
        """Raise RefusedRequestError for thoughts that aren't ours, and for a prompt that is too long."""
        try:
            message_checks.check_thoughts(body.request.messages, body.request.thinking, self._signatures)
        except MessageError as error:
            raise RefusedRequestError(error.response.render()) from error
        size, most = prompt_cache.count_all(body.value), MOST_INPUT.get(body.model)
        if most is not None and size > most:
            message = f"prompt is too long: {size} tokens > {most} maximum"
            raise RefusedRequestError(invalid(message).render(), "ContextLength")

    def _create_turn(
        self, account: EmulatorAccount, body: MessageBody, history: MessageHistory, directives: Directives
    ) -> MessageTurn:
        thinking = body.request.thinking
        return MessageTurn(
            directives=directives,
            question=history.question,
            tone=body.tone,
            previous=question_handler.previous_question(history, NAMES),
            number=len(history.questions) + 1,
            model=body.model,
            stream=bool(body.request.stream),
            tokens=self._cache.measure(account.name, body.value),
            limit=body.request.max_tokens,
            stops=tuple(body.request.stop_sequences or ()),
            shows_thoughts=getattr(thinking, "display", None) != "omitted",
            signatures=self._signatures,
        )

    def _create_responder(
        self, request: web.Request, turn: MessageTurn, entry: TurnEntry, outcome: MessageOutcome
    ) -> AnswerResponder:
        headers = {"request-id": error_response.make_id("req"), **rate_limits.describe()}
        if turn.stream:
            return EventStreamResponder(request, entry, self.state.clock, outcome.layout, headers)
        return WholeBodyResponder(request, entry, self.state.clock, fold, headers)


def compose(body: MessageBody, turn: MessageTurn) -> tuple[ScriptedReply | None, bool]:
    """Return the blocks of an answer, None if there are none, and whether the ordinary text follows them."""
    open_turn = message_history.open_turn(body.messages)
    output = body.request.output_config
    form = body.request.output_format or (output.format if output is not None else None)
    blocks, is_ordinary = reply.compose(
        ReplyTask(
            topic=turn.topic,
            directives=open_turn.directives,
            tools=body.tools.tools,
            mode=body.tools.mode,
            names=body.tools.names,
            parallel=body.tools.parallel,
            results=open_turn.results,
            thoughts=_count_thoughts(body, turn),
            schema=None if form is None else form.schema_,
            pictures=open_turn.pictures,
        )
    )
    return (ScriptedReply(blocks) if blocks else None), is_ordinary


def _count_thoughts(body: MessageBody, turn: MessageTurn) -> int:
    if "think" in turn.options:
        return int(turn.options["think"])
    thinking = body.request.thinking
    return THOUGHTS if thinking is not None and thinking.type != "disabled" else 0
