"""POST /v1/messages/count_tokens: how many tokens a request has."""

from aiohttp import web

from emulator import http_faults
from emulator.anthropic import api_keys, error_response, message_checks, models, outcomes, prompt_cache, refusals
from emulator.anthropic import request_body as bodies
from emulator.anthropic.error_response import AnthropicError, MessageError, json_response
from emulator.anthropic.sent_request import CountedRequest
from emulator.anthropic.thought_signatures import ThoughtSignatures
from emulator.directives import Directives
from emulator.ledger import CallEntry, finish
from emulator.received_request import describe
from emulator.state import EmulatorState

NAMES = outcomes.names("call")


class TokenCountHandler:
    """The endpoint that counts tokens."""

    def __init__(self, state: EmulatorState, signatures: ThoughtSignatures) -> None:
        self._state = state
        self._signatures = signatures

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with a count, as scripted. A request whose body is wrong is not listed in the ledger."""
        account = api_keys.find_account(request, self._state)
        key_error = api_keys.check(account, self._state)
        try:
            counted, value, _ = bodies.read(await request.read(), request.headers, CountedRequest)
            message_checks.check_thoughts(counted.messages, counted.thinking, self._signatures)
        except MessageError as error:
            return (key_error or error.response).render()
        directives = self._state.take_script(account.name, "call", NAMES) or Directives()
        entry = CallEntry(
            started=self._state.clock.now(),
            account=account.name,
            operation="count_tokens",
            model=counted.model,
            inputs=len(counted.messages),
            tokens=prompt_cache.count_all(value),
            scripted=directives.outcome or "plain",
            api="anthropic",
            request=describe(value, request.headers, ()),
        )
        self._state.ledger.add_call(entry)
        try:
            response, outcome = await self._answer(request, entry, directives, key_error)
            finish(entry, outcome, self._state.clock.now())
            return response
        finally:
            finish(entry, "client gone", self._state.clock.now())

    async def _answer(
        self, request: web.Request, entry: CallEntry, directives: Directives, key_error: AnthropicError | None
    ) -> tuple[web.Response, str]:
        """Return the response, and its outcome in the ledger."""
        if key_error is not None:
            return key_error.render(), "UnauthorizedRequest"
        if not models.is_known(entry.model):
            return error_response.no_model(entry.model).render(), "NotFound"
        refusal = refusals.CHAT.get(directives.outcome or "")
        if refusal is not None:
            return refusal.render(directives.number), refusal.outcome
        await http_faults.delay(request, directives)
        return json_response({"input_tokens": entry.tokens}), "Success"
