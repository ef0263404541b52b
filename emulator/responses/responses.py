"""POST /v1/responses: the question and what happens to it; GET /v1/responses/{id}."""

import os
from collections.abc import Mapping

from aiohttp import web

from emulator import question_handler, reply
from emulator.accounts import EmulatorAccount
from emulator.directives import Directives
from emulator.event_stream import EventStreamResponder, WholeBodyResponder
from emulator.json_text import Json
from emulator.ledger import TurnEntry, finish
from emulator.openai import completions, error_response, message_history
from emulator.openai.error_response import BadRequestError, ErrorResponse, json_response
from emulator.openai.message_history import MessageHistory
from emulator.openai.openai_handler import OpenaiHandler
from emulator.openai.threads import ThreadIndex
from emulator.pacing import Pacer
from emulator.question_handler import RefusedRequestError
from emulator.reply import ReplyTask, ScriptedReply
from emulator.responder import AnswerResponder
from emulator.responses import outcomes, request_body
from emulator.responses.outcomes import ResponseOutcome
from emulator.responses.request_body import AskedResponseBody
from emulator.responses.response_store import RememberedResponse, ResponseStore
from emulator.responses.turn import ResponseTurn, fold
from emulator.state import EmulatorState

NAMES = outcomes.names("chat")
THOUGHTS = 3  # of a request that asks for any
# What comes back as it was sent, and what it is if it wasn't.
ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class ResponseHandler(OpenaiHandler[AskedResponseBody]):
    """The endpoints that answer input, and show what was answered."""

    api = "responses"
    names = NAMES

    def __init__(self, state: EmulatorState, threads: ThreadIndex) -> None:
        super().__init__(state, threads)
        self._store = ResponseStore()
        state.reset_hooks.append(self._store.clear)

    async def show(self, request: web.Request) -> web.Response:
        """Answer GET /v1/responses/{id}."""
        refused = self.check_key(self.find_account(request))
        name = request.match_info["id"]
        stored = self._store.find(name)
        if refused is not None:
            return refused
        if stored is None:
            return ErrorResponse(404, f"Response with id '{name}' not found.").render()
        return json_response(stored.body)

    def parse(self, data: bytes, _headers: Mapping[str, str]) -> AskedResponseBody:
        """Return what a body asks for. Raises RefusedRequestError."""
        try:
            return request_body.parse(data, self._store)
        except BadRequestError as error:
            raise RefusedRequestError(error.response.render()) from error

    async def answer(
        self,
        request: web.Request,
        account: EmulatorAccount,
        entry: TurnEntry,
        body: AskedResponseBody,
        history: MessageHistory,
        directives: Directives,
    ) -> web.StreamResponse:
        """Answer a question as its directives ask."""
        outcome = outcomes.CHAT[entry.scripted]
        if not isinstance(outcome, ResponseOutcome):
            finish(entry, outcome.outcome, self.state.clock.now())
            return outcome.render(directives.number)
        account.count_question(self.state.clock.now())
        scripted = self.state.accounts.take_reply(account.name)
        turn = self._create_turn(body, history, directives)
        turn.reply, turn.is_ordinary = (scripted, False) if scripted else compose(body, turn)
        turn.response |= scripted.extra if scripted else {}
        if int(entry.invocation) > 1:
            turn.cached_tokens = completions.count_tokens(history.before)
        responder = self._create_responder(request, turn, entry, outcome)
        return await responder.play(outcome.scenario(turn), Pacer(self.state.settings.pace))

    def _create_turn(self, body: AskedResponseBody, history: MessageHistory, directives: Directives) -> ResponseTurn:
        def keep(response: Json) -> None:
            if body.stored:
                self._store.add(RememberedResponse(body.items, response))

        return ResponseTurn(
            directives=directives,
            question=history.question,
            tone=body.tone,
            previous=question_handler.previous_question(history, NAMES),
            number=len(history.questions) + 1,
            response=describe(body, int(self.state.clock.now())),
            stream=body.stream,
            prompt_tokens=completions.count_tokens(body.messages),
            limit=body.parameters.limit,
            summary=bool((body.value.get("reasoning") or {}).get("summary")),
            encrypts=body.encrypts,
            keep=keep,
        )

    def _create_responder(
        self, request: web.Request, turn: ResponseTurn, entry: TurnEntry, outcome: ResponseOutcome
    ) -> AnswerResponder:
        headers = {"x-request-id": error_response.request_id()}
        if turn.stream:
            return EventStreamResponder(request, entry, self.state.clock, outcome.layout, headers)
        return WholeBodyResponder(request, entry, self.state.clock, fold, headers)


def describe(body: AskedResponseBody, created: int) -> Json:
    """Return a response as it is before it has any output."""
    echoed = {name: usual if body.value.get(name) is None else body.value[name] for name, usual in ECHOED.items()}
    text, reasoning = body.value.get("text") or {}, body.value.get("reasoning") or {}
    return {
        "id": f"resp_{os.urandom(24).hex()}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": body.model,
        "output": [],
        "reasoning": {"effort": None, "summary": None} | reasoning,
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | text,
        "usage": None,
        **echoed,
    }


def compose(body: AskedResponseBody, turn: ResponseTurn) -> tuple[ScriptedReply | None, bool]:
    """Return the blocks of an answer, None if there are none, and whether the ordinary text follows them."""
    open_turn = message_history.open_turn(body.messages)
    effort = body.parameters.effort
    usual = THOUGHTS if effort not in (None, "none") else 0
    blocks, is_ordinary = reply.compose(
        ReplyTask(
            topic=turn.topic,
            directives=open_turn.directives,
            tools=body.tools.tools,
            mode=body.tools.mode,
            names=body.tools.names,
            parallel=body.tools.parallel,
            results=open_turn.results,
            thoughts=int(turn.options.get("think", usual)),
            schema=body.parameters.schema,
            is_json=body.parameters.is_json,
            pictures=open_turn.pictures,
        )
    )
    return (ScriptedReply(blocks) if blocks else None), is_ordinary
