"""Chat with any server that has Anthropic's Messages API, by streamed messages.

Such a server keeps no conversations: each request contains all messages, and the saved state is empty.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import quote

import msgspec
import structlog

from wire.about import weigh_prompt
from wire.call_memory import CallRecord
from wire.messages import Operation, Style
from wire.prompt import Message, Prompt, PromptRole, Text
from wire.reasons import Reason
from wire.threads import run_sized
from worker.accounts.account import Account, ServerAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend, CallResult, Completion, Growth, SavedConversation, require_server
from worker.providers.anthropic.message_habits import MessageHabits, SentParameters
from worker.providers.anthropic.message_records import make_records
from worker.providers.anthropic.message_request import MessageForm, free_text_tools, write_request
from worker.providers.anthropic.message_stream import MessageStream
from worker.providers.anthropic.own_fields import keep_own_fields
from worker.providers.anthropic.request_options import WISHES, OptionsForm, find_effort
from worker.providers.anthropic.token_count import (
    COUNT_TOKENS,
    LACKING,
    LARGEST_COUNT,
    parse_count,
    write_count_request,
)
from worker.providers.call_records import find_place, has_calls, put_back
from worker.providers.envelope import Envelopes
from worker.providers.openai.call_refusals import excuse_lacking
from worker.providers.openai.chat_request import client_fields
from worker.providers.openai.client import (
    ERROR_TIMEOUT,
    FailureReasons,
    ServerClient,
    excuse_account,
    parse_url,
    read_body,
    time_limit,
)
from worker.providers.openai.growths import GRACE, read_growths
from worker.providers.openai.habits import Trial
from worker.providers.openai.model_list import LARGEST, parse_model_list
from worker.providers.openai.parameters import STREAM
from worker.providers.openai.prompt import build_messages
from worker.providers.openai.styles import StyleSettings, model_of
from worker.providers.sent_mark import SendHook
from worker.providers.transcript import History, Recall, no_history
from worker.settings import ANTHROPIC, WorkerSettings

_LOG = structlog.get_logger()
_REASONS = FailureReasons(silence=Reason.TIMEOUT_IDLE, policy=Reason.QUESTION_REFUSED)
_VERSION = "2023-06-01"
# Headers of a client of this API that decide what its request means.
_HEADERS = {"anthropic-version": b"anthropic-version", "anthropic-beta": b"anthropic-beta"}
# Hosts that take the key in one way only, and how the keys begin that are tokens of a person's sign-in.
_STRICT_HOSTS = (".anthropic.com", ".azure.com")
_TOKEN = "sk-ant-oat"
# Models of one page of the list, and pages that are read.
_PAGE = 1000
_MOST_PAGES = 10


@dataclass(frozen=True)
class _MessageRequest:
    """A request for an answer. `headers` are its client's, and `sent` is what a refusal may be about.

    `asked` is what calls of its answer are known by; see worker.providers.call_records. `client` is whose it is.
    """

    model: str
    body: bytes
    habits: MessageHabits
    sent: SentParameters
    headers: Mapping[bytes, bytes]
    envelopes: Envelopes | None = None
    custom: frozenset[str] = frozenset()
    asked: Prompt | None = None
    client: str = ""


class AnthropicProvider:
    """A chat provider (see worker.providers) that keeps nothing between questions but connections.

    The body of an error may take `error_timeout` seconds, and what follows a stop_reason `grace`.
    """

    stateless = True

    def __init__(self, settings: WorkerSettings, *, error_timeout: float = ERROR_TIMEOUT, grace: float = GRACE) -> None:
        self._settings = settings
        self._client = ServerClient(settings.connect_timeout, error_timeout=error_timeout, key_headers=key_headers)
        # By the account's fingerprint and the model.
        self._habits: dict[tuple[str, str], MessageHabits] = {}
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
        answer = MessageStream(server.key, request.envelopes, request.custom)
        post = self._client.post(
            server,
            endpoint(server, "/messages"),
            request.body,
            SendHook(before_send),
            _REASONS,
            request.sent.names,
            request.headers,
        )
        try:
            async with post as response, aclosing(read_growths(response, answer, self._grace)) as growths:
                async for growth in growths:
                    yield growth
            ended = answer.completion(state=b"")
        except UpstreamError as error:
            _learn_refusal(request, error)
            if error.missing_model and request.model != server.model:
                excuse_account(error)
            raise
        _learn_answer(server, request)
        if pieces := answer.take():
            yield Growth(pieces)
        records: dict[str, CallRecord] = {}
        if request.asked is not None and has_calls(ended.blocks):
            place = await run_sized(weigh_prompt(request.asked), find_place, request.asked)
            records = make_records(ended.blocks, ANTHROPIC, request.model, place)
        yield replace(ended, model=request.model, records=records)

    async def check(self, account: Account) -> None:
        """Request the list of models. UpstreamError if the server refuses or doesn't answer."""
        server = require_server(account)
        async with time_limit(self._settings.connect_timeout):
            await self._client.get(server, endpoint(server, "/models"))

    async def list_models(self, account: Account) -> tuple[str, ...]:
        """Return the models that the server lists. UpstreamError if it doesn't answer with a list."""
        server = require_server(account)
        models: list[str] = []
        after, left = "", LARGEST
        async with time_limit(self._settings.connect_timeout):
            for _ in range(_MOST_PAGES):
                path = endpoint(server, f"/models?limit={_PAGE}{after}")
                page = await self._client.get(server, path, left)
                names, last = await run_sized(len(page), _read_page, page)
                models += names
                left -= len(page)
                if last is None:
                    break
                after = f"&after_id={last}"
        return tuple(dict.fromkeys(models))

    async def call(
        self, account: Account, operation: Operation, model: str, body: bytes, before_send: BeforeSend
    ) -> CallResult:
        """Return a prompt's tokens. UpstreamError when it fails, and for any other operation."""
        if operation != COUNT_TOKENS:
            raise UpstreamError(Reason.MODEL_UNABLE, operation, refused=True)
        server = require_server(account)
        sent, path = await write_count_request(server, model, body), endpoint(server, "/messages/count_tokens")
        try:
            async with self._client.post(server, path, sent, SendHook(before_send), _REASONS) as response:
                return parse_count(await read_body(response, LARGEST_COUNT))
        except UpstreamError as error:
            excuse_lacking(error, LACKING)
            raise

    async def close(self) -> None:
        """Close the connections that are idle."""
        self._client.close()

    async def _build_request(
        self, server: ServerAccount, style: Style, question: str, history: History
    ) -> _MessageRequest:
        """Return the request for an answer; a large one is built beside the event loop. UpstreamError."""
        habits = self._habits.setdefault((server.fingerprint, model_of(server, history.prompt)), MessageHabits())
        size = len(question) + history.weigh()
        return await run_sized(size, self._write_request, server, style, question, history, habits)

    def _write_request(
        self, server: ServerAccount, style: Style, question: str, history: History, habits: MessageHabits
    ) -> _MessageRequest:
        prompt = history.prompt
        model = model_of(server, prompt)
        if prompt is None:
            plain = self._style_prompt(server, style, question, history)
            return _as_learnt(plain, server, model, habits, None, history.client)
        envelopes = Envelopes(history.secret, ANTHROPIC, model)
        opened = envelopes.open_prompt(put_back(keep_own_fields(prompt), history.records, ANTHROPIC, model))
        return replace(_as_learnt(opened, server, model, habits, envelopes, history.client), asked=prompt)

    def _style_prompt(self, server: ServerAccount, style: Style, question: str, history: History) -> Prompt:
        """Return the prompt of a question in text, for a style."""
        messages = build_messages(
            self._styles.system(style), history, question, self._settings.openai_history, placement=server.system
        )
        temperature = self._styles.temperature(server, style)
        return Prompt(
            "chat",
            server.model,
            tuple(
                Message(
                    cast(PromptRole, message["role"]),
                    (Text(message["content"]),),
                    string=True,
                    name=message.get("name", ""),
                )
                for message in messages
            ),
            options={} if temperature is None else {"temperature": temperature},
        )


def key_headers(server: ServerAccount) -> dict[bytes, bytes]:
    """Return the headers of each request: the API's version, and the key in the ways that the server may take it."""
    headers = {b"anthropic-version": _VERSION.encode()}
    if not server.key:
        return headers
    key = server.key.encode()
    strict = parse_url(server.base_url).host.endswith(_STRICT_HOSTS)
    is_token = server.key.startswith(_TOKEN)
    if not (strict and is_token):
        headers[b"x-api-key"] = key
    # Servers of another make mostly look for one of the two.
    if is_token or not strict:
        headers[b"Authorization"] = b"Bearer " + key
    return headers


def endpoint(server: ServerAccount, path: str) -> str:
    """Return the path behind the server's base URL, which may end with the API's `/v1` or lack it."""
    base = parse_url(server.base_url).path.rstrip("/")
    return path if base.endswith("/v1") else f"/v1{path}"


def _read_page(page: bytes) -> tuple[tuple[str, ...], str | None]:
    """Return the names in a page of a list, and where the next one begins. UpstreamError if it is none."""
    return parse_model_list(page), last_of_page(page)


def last_of_page(page: bytes) -> str | None:
    """Return the id behind which the next page of a list begins; None for the last page."""
    try:
        value = json.loads(page)
    except (ValueError, RecursionError):
        return None
    last = value.get("last_id") if isinstance(value, dict) and value.get("has_more") is True else None
    return quote(last, safe="", errors="replace") if isinstance(last, str) and last else None


def _as_learnt(
    prompt: Prompt, server: ServerAccount, model: str, habits: MessageHabits, envelopes: Envelopes | None, client: str
) -> _MessageRequest:
    """Return a client's request as its server takes it: otherwise than at first, where that was refused."""
    prompt = msgspec.structs.replace(prompt, model=model)
    first = habits.first_trial(client, client_fields(prompt))
    request = _from_prompt(prompt, server, habits, first, envelopes)
    trial = habits.find_trial(request.body, first)
    request = request if trial is first else _from_prompt(prompt, server, habits, trial, envelopes)
    return replace(request, client=client)


def _from_prompt(
    prompt: Prompt, server: ServerAccount, habits: MessageHabits, trial: Trial, envelopes: Envelopes | None
) -> _MessageRequest:
    own, thinking, beside = prompt.dialect == "anthropic", habits.thinking_form(trial), client_fields(prompt)
    omitted = habits.omitted_beside(beside) | trial.without
    form = MessageForm(
        system=server.system,
        sees="pictures" in server.abilities,
        options=OptionsForm(thinking, habits.longest_answer(trial), omitted),
        thinking=trial.thinking,
    )
    streams = {STREAM: True} if server.stream and STREAM not in omitted else {}
    rendered = write_request(prompt, form) | streams
    asked = thinking if not own and find_effort(prompt.options) else None
    wishes = () if own else tuple(name for name in WISHES if name in rendered)
    names, limit = frozenset((*wishes, *streams)), None if own else rendered["max_tokens"]
    # A style's values are none of its client's.
    sent = SentParameters(names, limit, asked, trial, beside, frozenset(wishes if envelopes else ()))
    headers = {_HEADERS[name]: value.encode() for name, value in prompt.headers.items() if own and name in _HEADERS}
    body = msgspec.json.encode(rendered)
    return _MessageRequest(prompt.model, body, habits, sent, headers, envelopes, free_text_tools(prompt))


def _learn_refusal(request: _MessageRequest, error: UpstreamError) -> None:
    """Let the question be repeated without, or with another form of, what the server refuses."""
    if error.refused and error.reason in (Reason.QUESTION_INVALID, Reason.UPSTREAM_INTERNAL):
        error.repeat = bool(request.habits.learn(error, request.body, request.sent))


def _learn_answer(server: ServerAccount, request: _MessageRequest) -> None:
    """Send from now on what the server has answered."""
    for name in request.habits.confirm(request.sent.trial, fields=request.sent.fields, client=request.client):
        _LOG.warning("server refuses a parameter, sent otherwise now", account=server.name, parameter=name)
