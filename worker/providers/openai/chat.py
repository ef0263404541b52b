"""Chat with any server that has the OpenAI API, by streamed chat completions.

Such a server keeps no conversations: each request contains all messages, and the saved state is empty.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from wire.messages import Operation, Style
from wire.prompt import Prompt, without_extra
from wire.reasons import Reason
from worker.accounts.account import Account, ServerAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend, CallResult, Completion, Growth, SavedConversation, require_server
from worker.providers.call_records import make_records, put_back
from worker.providers.envelope import Envelopes
from worker.providers.openai.chat_request import RequestForm, earlier_fields, render_prompt
from worker.providers.openai.client import ERROR_TIMEOUT, FailureReasons, ServerClient, excuse_account, time_limit
from worker.providers.openai.embeddings import request_embeddings
from worker.providers.openai.growths import GRACE, read_growths
from worker.providers.openai.habits import ServerHabits
from worker.providers.openai.model_list import LARGEST, parse_model_list
from worker.providers.openai.parameters import (
    CALL_IDS,
    SIGNATURE,
    STREAM,
    STREAM_OPTIONS,
    TEMPERATURE,
    THOUGHT_SIGNATURE,
)
from worker.providers.openai.prompt import build_messages
from worker.providers.openai.stream import CompletionStream
from worker.providers.openai.styles import StyleSettings, model_of
from worker.providers.openai.thoughts import ThoughtSplitter
from worker.providers.sent_mark import SendHook
from worker.providers.transcript import History, Recall, no_history
from worker.settings import OPENAI, WorkerSettings

_LOG = structlog.get_logger()
_REASONS = FailureReasons(silence=Reason.TIMEOUT_IDLE, policy=Reason.QUESTION_REFUSED)
# Returns extra fields of an answer as clients get them.
Seal = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class _Request:
    """A request for an answer. `parameters` are those of ours in it, `fields` those of earlier answers.

    Extra fields of the answer leave as `seal` returns them. `is_repeat`: without the reasoning that was refused.
    """

    model: str
    body: bytes
    habits: ServerHabits
    parameters: frozenset[str]
    fields: frozenset[str] = frozenset()
    seal: Seal | None = None
    is_repeat: bool = False


class OpenAIProvider:
    """A chat provider (see worker.providers) that keeps nothing between questions but connections.

    The body of an error may take `error_timeout` seconds, and what follows a finish_reason `grace`.
    """

    stateless = True

    def __init__(self, settings: WorkerSettings, *, error_timeout: float = ERROR_TIMEOUT, grace: float = GRACE) -> None:
        self._settings = settings
        self._client = ServerClient(settings.connect_timeout, error_timeout=error_timeout)
        # By the account's fingerprint and the model.
        self._habits: dict[tuple[str, str], ServerHabits] = {}
        self._grace = min(grace, settings.idle_timeout / 2)
        self._styles = StyleSettings(settings)

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,  # noqa: ARG002 - its state is empty
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[Growth | Completion, None]:
        """Yield growths, then exactly one Completion. UpstreamError when it fails."""
        server = require_server(account)
        request = self._build_request(server, style, question, await recall())
        habits = request.habits
        thoughts = ThoughtSplitter(habits.beginning) if server.think_tags else None
        completion = CompletionStream(server.key, thoughts, request.seal)
        hook, fields = SendHook(before_send), request.fields
        post = self._client.post(server, "/chat/completions", request.body, hook, _REASONS, fields)
        try:
            async with post as response, aclosing(read_growths(response, completion, self._grace)) as growths:
                async for growth in growths:
                    yield growth
        except UpstreamError as error:
            _learn_refusal(server, request, error)
            if error.missing_model and request.model != server.model:
                excuse_account(error)
            raise
        ended = completion.completion(state=b"")
        habits.reasoning_field = completion.reasoning_field or habits.reasoning_field
        if thoughts is not None:
            habits.beginning = thoughts.beginning
        if pieces := completion.take():
            yield Growth(pieces)
        records = make_records(ended.blocks, OPENAI, request.model, completion.reasoning_field) if request.seal else {}
        yield replace(ended, model=request.model, records=records)

    async def check(self, account: Account) -> None:
        """Request the list of models. UpstreamError if the server refuses or doesn't answer."""
        async with time_limit(self._settings.connect_timeout):
            await self._client.get(require_server(account), "/models")

    async def list_models(self, account: Account) -> tuple[str, ...]:
        """Return the models that the server lists. UpstreamError if it doesn't answer with a list."""
        async with time_limit(self._settings.connect_timeout):
            return parse_model_list(await self._client.get(require_server(account), "/models", LARGEST))

    async def call(
        self, account: Account, operation: Operation, model: str, body: bytes, before_send: BeforeSend
    ) -> CallResult:
        """Return embeddings. UpstreamError when it fails, and for any other operation."""
        if operation != "embeddings":
            raise UpstreamError(Reason.MODEL_UNABLE, operation, refused=True)
        return await request_embeddings(self._client, require_server(account), model, body, before_send)

    async def close(self) -> None:
        """Close the connections that are idle."""
        self._client.close()

    def _build_request(self, server: ServerAccount, style: Style, question: str, history: History) -> _Request:
        prompt = history.prompt
        model = model_of(server, prompt)
        habits = self._habits.setdefault((server.fingerprint, model), ServerHabits())
        extras = _streaming(server, habits)
        if prompt is not None:
            envelopes = Envelopes(history.secret, OPENAI, model)
            own = prompt if prompt.dialect == "chat" else without_extra(prompt)
            prompt = envelopes.open_prompt(put_back(own, history.records, OPENAI, model))
            prompt = msgspec.structs.replace(prompt, model=model)
            return _from_prompt(prompt, server, habits, extras, envelopes.seal)
        messages = build_messages(
            self._styles.system(style), history, question, self._settings.openai_history, placement=server.system
        )
        temperature = self._styles.temperature(server, style)
        if temperature is not None and TEMPERATURE not in habits.omitted:
            extras[TEMPERATURE] = temperature
        body = msgspec.json.encode({"model": model, "messages": messages, **extras})
        return _Request(model, body, habits, frozenset(extras))


def _streaming(server: ServerAccount, habits: ServerHabits) -> dict[str, object]:
    """Return the fields by which an answer is streamed, as far as the server takes them."""
    extras: dict[str, object] = {}
    if server.stream and STREAM not in habits.omitted:
        extras[STREAM] = True
        if server.stream_options and STREAM_OPTIONS not in habits.omitted:
            extras[STREAM_OPTIONS] = {"include_usage": True}
    return extras


def _from_prompt(
    prompt: Prompt, server: ServerAccount, habits: ServerHabits, extras: dict[str, object], seal: Seal
) -> _Request:
    form = RequestForm(
        system=server.system,
        developer=server.developer,
        sees="pictures" in server.abilities,
        max_tokens=habits.max_tokens(server.max_tokens),
        omitted=habits.omitted,
        reasoning_field=habits.reasoning_field,
        signs_calls=habits.signs_calls,
        short_ids=CALL_IDS in habits.omitted,
    )
    body = msgspec.json.encode({**render_prompt(prompt, form), **extras})
    fields = earlier_fields(prompt) - habits.omitted
    is_repeat = habits.is_repeat(body)
    if is_repeat:
        body = msgspec.json.encode({**render_prompt(prompt, replace(form, thinking=False)), **extras})
    parameters = frozenset({*extras, form.max_tokens, *(() if form.short_ids else (CALL_IDS,))})
    return _Request(prompt.model, body, habits, parameters, fields, seal, is_repeat)


def _learn_refusal(server: ServerAccount, request: _Request, error: UpstreamError) -> None:
    """Leave out a field that the server refuses, from now on; the question may be repeated without it."""
    name = error.parameter
    if not (error.refused and name):
        return
    known = name in request.habits.omitted
    if request.is_repeat and name in (SIGNATURE, THOUGHT_SIGNATURE):
        return
    error.repeat = request.habits.refuse(name, request.body, request.parameters | request.fields)
    if error.repeat and not known:
        _LOG.warning("server refuses a parameter, no longer sent", account=server.name, parameter=name)
