"""Chat with any server that has the OpenAI API, by streamed chat completions.

Such a server keeps no conversations: each request contains all messages, and the saved state is empty.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from wire.about import weigh_prompt
from wire.call_memory import CallRecord
from wire.messages import Operation, Style
from wire.prompt import Prompt, without_extra
from wire.reasons import Reason
from wire.threads import run_sized
from worker.accounts.account import Account, ServerAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend, CallResult, Completion, Growth, SavedConversation, require_server
from worker.providers.call_records import find_place, has_calls, make_records, put_back
from worker.providers.envelope import Envelopes
from worker.providers.openai.chat_request import (
    RequestForm,
    client_fields,
    earlier_fields,
    render_prompt,
)
from worker.providers.openai.client import ERROR_TIMEOUT, FailureReasons, ServerClient, excuse_account, time_limit
from worker.providers.openai.embeddings import request_embeddings
from worker.providers.openai.growths import GRACE, read_growths
from worker.providers.openai.habits import FIRST, SIGNED, ServerHabits, Trial, max_tokens_name
from worker.providers.openai.model_list import LARGEST, parse_model_list
from worker.providers.openai.parameters import CALL_IDS, STREAM, STREAM_OPTIONS, TEMPERATURE, THOUGHT_SIGNATURE
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

    The values of the fields in `own` are no texts, so that the values may be what is refused. Extra fields of the
    answer leave as `seal` returns them. `trial` is how a request is sent that was refused before. `sent` are the fields
    that its client sent under the same names. `asked` is what calls of its answer are known by; see
    worker.providers.call_records. `beside` is what its client asks for beside the messages, and `signed`: a call
    has the word in place of a signature. `client` is whose it is.
    """

    model: str
    body: bytes
    habits: ServerHabits
    parameters: frozenset[str]
    fields: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()
    trial: Trial = FIRST
    seal: Seal | None = None
    asked: Prompt | None = None
    beside: frozenset[str] = frozenset()
    signed: bool = False
    client: str = ""


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
        request = await self._build_request(server, style, question, await recall())
        habits = request.habits
        thoughts = ThoughtSplitter(habits.beginning) if server.think_tags else None
        completion = CompletionStream(server.key, thoughts, request.seal)
        hook, fields = SendHook(before_send), request.fields
        post = self._client.post(server, "/chat/completions", request.body, hook, _REASONS, fields, sent=request.sent)
        try:
            async with post as response, aclosing(read_growths(response, completion, self._grace)) as growths:
                async for growth in growths:
                    yield growth
        except UpstreamError as error:
            _learn_refusal(request, error)
            if error.missing_model and request.model != server.model:
                excuse_account(error)
            raise
        ended = completion.completion(state=b"")
        _learn_answer(server, request)
        habits.reasoning_field = completion.reasoning_field or habits.reasoning_field
        if thoughts is not None:
            habits.beginning = thoughts.beginning
        if pieces := completion.take():
            yield Growth(pieces)
        records: dict[str, CallRecord] = {}
        if request.asked is not None and has_calls(ended.blocks):
            place = await run_sized(weigh_prompt(request.asked), find_place, request.asked)
            records = make_records(ended.blocks, OPENAI, request.model, completion.reasoning_field, place)
        yield replace(ended, model=request.model, records=records)

    async def check(self, account: Account) -> None:
        """Request the list of models. UpstreamError if the server refuses or doesn't answer."""
        async with time_limit(self._settings.connect_timeout):
            await self._client.get(require_server(account), "/models")

    async def list_models(self, account: Account) -> tuple[str, ...]:
        """Return the models that the server lists. UpstreamError if it doesn't answer with a list."""
        async with time_limit(self._settings.connect_timeout):
            body = await self._client.get(require_server(account), "/models", LARGEST)
        return await run_sized(len(body), parse_model_list, body)

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

    async def _build_request(self, server: ServerAccount, style: Style, question: str, history: History) -> _Request:
        """Return the request for an answer; a large one is built beside the event loop."""
        habits = self._habits.setdefault((server.fingerprint, model_of(server, history.prompt)), ServerHabits())
        size = len(question) + history.weigh()
        return await run_sized(size, self._write_request, server, style, question, history, habits)

    def _write_request(
        self, server: ServerAccount, style: Style, question: str, history: History, habits: ServerHabits
    ) -> _Request:
        prompt = history.prompt
        model = model_of(server, prompt)
        if prompt is not None:
            envelopes = Envelopes(history.secret, OPENAI, model)
            own = prompt if prompt.dialect == "chat" else without_extra(prompt)
            prompt = envelopes.open_prompt(put_back(own, history.records, OPENAI, model))
            prompt = msgspec.structs.replace(prompt, model=model)
            request = _as_learnt(
                habits,
                lambda trial: _from_prompt(prompt, server, habits, trial, envelopes.seal),
                history.client,
                client_fields(prompt),
            )
            return replace(request, asked=own)
        messages = build_messages(
            self._styles.system(style), history, question, self._settings.openai_history, placement=server.system
        )
        temperature = self._styles.temperature(server, style)

        def build(trial: Trial) -> _Request:
            extras = _extras(server, habits.omitted_beside(frozenset()) | trial.without, temperature)
            body = msgspec.json.encode({"model": model, "messages": messages, **extras})
            return _Request(model, body, habits, frozenset(extras))

        return _as_learnt(habits, build, history.client)


def _as_learnt(
    habits: ServerHabits,
    build: Callable[[Trial], _Request],
    client: str,
    fields: frozenset[str] = frozenset(),
) -> _Request:
    """Return a client's request with these fields as its server takes it: otherwise than at first, if need be."""
    first = habits.first_trial(client, fields)
    request = build(first)
    trial = habits.find_trial(request.body, first)
    return replace(request if trial is first else build(trial), trial=trial, client=client)


def _extras(server: ServerAccount, omitted: Collection[str], temperature: float | None = None) -> dict[str, object]:
    """Return the fields of ours, as far as the server takes them."""
    extras: dict[str, object] = {}
    if server.stream and STREAM not in omitted:
        extras[STREAM] = True
        if server.stream_options and STREAM_OPTIONS not in omitted:
            extras[STREAM_OPTIONS] = {"include_usage": True}
    if temperature is not None and TEMPERATURE not in omitted:
        extras[TEMPERATURE] = temperature
    return extras


def _from_prompt(prompt: Prompt, server: ServerAccount, habits: ServerHabits, trial: Trial, seal: Seal) -> _Request:
    beside = client_fields(prompt)
    omitted = habits.omitted_beside(beside) | trial.without
    form = RequestForm(
        system=server.system,
        developer=server.developer,
        sees="pictures" in server.abilities,
        max_tokens=max_tokens_name(server.max_tokens, omitted),
        omitted=omitted,
        thinking=trial.thinking,
        reasoning_field=habits.reasoning_field,
        signs_calls=habits.signs_calls or not trial.without.isdisjoint((THOUGHT_SIGNATURE, SIGNED)),
        short_ids=CALL_IDS in omitted,
    )
    extras = _extras(server, omitted)
    rendered = render_prompt(prompt, form)
    body = msgspec.json.encode({**rendered, **extras})
    parameters = frozenset({*extras, form.max_tokens, *(() if form.short_ids else (CALL_IDS,))})
    sent = frozenset(rendered if prompt.dialect == "chat" else ())
    fields = earlier_fields(prompt)
    own = frozenset(name for name, values in fields.items() if not all(map(_is_text, values)))
    signed = form.signs_calls and any(message.calls for message in prompt.messages)
    earlier = frozenset(fields) - omitted
    return _Request(prompt.model, body, habits, parameters, earlier, own, sent, seal=seal, beside=beside, signed=signed)


def _is_text(value: object) -> bool:
    """Return whether the value of a field is what servers send there, if they send anything."""
    return value is None or isinstance(value, str)


def _learn_refusal(request: _Request, error: UpstreamError) -> None:
    """Let the question be repeated without a field that the server refuses."""
    if error.refused and error.parameter:
        sent = request.parameters | request.fields
        error.repeat = request.habits.refuse(error.parameter, request.body, sent, request.trial)


def _learn_answer(server: ServerAccount, request: _Request) -> None:
    """Leave out what the server has answered without, from now on."""
    habits, trial = request.habits, request.trial
    beside, client = request.beside, request.client
    for name in habits.confirm(trial, request.own, fields=beside, signed=request.signed, client=client):
        _LOG.warning("server refuses a parameter, no longer sent", account=server.name, parameter=name)
