"""Submits questions of /v1, each to the conversation that it continues."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import structlog
from starlette.requests import Request

from gateway.answering.idempotency import RequestKey
from gateway.answering.models import ModelChoice, Models
from gateway.answering.recalled import RecalledAnswer
from gateway.answering.relay import AnswerSubscription
from gateway.answering.submit import Questions, Submission
from gateway.auth.clients import Clients
from gateway.auth.name_owner import find_owner
from gateway.http import sse
from gateway.http.answer_reads import AnswerReads
from gateway.http.fields import idempotency_key, preferred_wait
from gateway.openai import validation
from gateway.openai.answer_assembler import AnswerAssembler, to_message
from gateway.openai.conversations import ConversationDigests, ConversationLookup, Thread
from gateway.openai.errors import AnswerFailedError, InvalidRequestError
from gateway.openai.json_fields import Fields
from gateway.openai.models import resolve_model
from gateway.openai.options import MAX_SESSION
from gateway.openai.parameter_names import own_names
from gateway.openai.requests import CompletionRequest, reject_needs, reject_other_parts
from gateway.openai.responses.chain import ResponseChain
from gateway.openai.responses.chain import missing as missing_response
from gateway.openai.responses.stored_responses import StoredResponses
from wire.about import About, describe, weigh
from wire.blocks import Block
from wire.conversation_index import IndexedConversation
from wire.errors import (
    AnswerLostError,
    AnswerNotFoundError,
    ConversationMovedError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.jobs import Client, new_token
from wire.messages import Chat, Failed, Final, Prompted
from wire.model_table import ModelTable
from wire.prompt_text import is_text, plain_question
from wire.response_memory import StoredResponse
from wire.shared_read import SharedRead
from wire.threads import run_sized

# In place of the key of a client that sends none.
_NO_KEY = hashlib.sha256(b"").hexdigest()
_LOG = structlog.get_logger()


@dataclass(frozen=True)
class SubmittedQuestion:
    """A question that was submitted. `lasting`: its answer continues when its client leaves.

    `end` is that of a stored response whose events are no longer kept.
    """

    questions: Questions
    conversations: ConversationLookup
    client: Client
    thread: Thread
    submission: Submission
    about: About
    accepted: int
    lasting: bool
    end: Final | None = None

    @property
    def answer(self) -> str:
        """The answer's id."""
        return self.submission.answer_id

    @property
    def on_hang_up(self) -> Callable[[], None] | None:
        """What to call when the client leaves before the end; None where it can come back for the answer."""
        return None if self.lasting else self.questions.relay.on_hang_up(self.answer)

    def as_wanted(self, wanted: CompletionRequest) -> "SubmittedQuestion":
        """Return the question with what its request says of the answer, where its job doesn't: in text."""
        if self.about.dialect:
            return self
        about = msgspec.structs.replace(
            self.about, stops=wanted.stops, include_usage=wanted.usage, echo=wanted.echo, stored=wanted.stored
        )
        return replace(self, about=about)

    def follow(self) -> AnswerSubscription | RecalledAnswer:
        """Return a subscription to the answer's events, from the first one on."""
        if self.end is not None:
            return RecalledAnswer(self.answer, self.end)
        return self.questions.follow(self.submission, self.client)

    async def finish(self, answer: AnswerAssembler, blocks: Sequence[Block]) -> None:
        """Stop an answer that was cut, and index its conversation: the client has got all of it, as `blocks`."""
        if self.end is not None:
            return
        if answer.cut:
            try:
                await self.questions.relay.jobs.stop(self.answer, self.client.holder)
            except (StoreUnavailableError, AnswerNotFoundError) as error:
                _LOG.warning("answer not stopped", answer=self.answer, cause=str(error))
        indexed = IndexedConversation(self.submission.token, self.answer)
        message = to_message(blocks, functions=self.about.functions)
        await self.conversations.record(self.client.name, self.thread, indexed, message)

    async def collect(self, request: Request, answer: AnswerAssembler) -> None:
        """Read the answer to its end. AnswerFailedError, AnswerLostError, DeadlineError, DrainingError."""
        relay = self.questions.relay
        async with (
            relay.active_requests.track(relay.time_limit, receive=request.receive, on_hang_up=self.on_hang_up),
            self.follow() as events,
        ):
            async for entry in events:
                request.state.provider = entry.event.provider or getattr(request.state, "provider", "")
                if isinstance(entry.event, Failed):
                    raise AnswerFailedError(entry.event)
                answer.add(entry.event)
                if answer.finished:
                    await self.finish(answer, answer.blocks)
                    return
        raise AnswerLostError


@dataclass(frozen=True)
class QuestionService:
    """Submits the questions of clients and finds them again by their answers' ids."""

    questions: Questions
    clients: Clients
    conversations: ConversationLookup
    model_reader: SharedRead[ModelTable]
    stored: StoredResponses
    reads: AnswerReads

    async def ask(
        self, request: Request, client: Client, fields: Fields, wanted: CompletionRequest
    ) -> SubmittedQuestion:
        """Submit the question of a request, or find the one whose stream it resumes.

        InvalidRequestError, and the errors of Questions.submit.
        """
        choice = resolve_model(wanted.prompt.model, Models(await self.model_reader.read()), client)
        asked = work = self._work(request, choice, wanted)
        name = validation.read_conversation_id(
            fields, request.headers.get("x-conversation-id"), self.questions.idempotency.min_length(client)
        )
        digests, chain = await self.conversations.load_digests(self._scope(request, client)), None
        own = wanted.own
        if wanted.previous is not None:
            try:
                admit = request.state.admit
                chain = await self.stored.load_chain(wanted.previous, digests.owner, client.holder, own, admit)
            except InvalidRequestError as missing:
                return await self._find_repeated(request, client, asked, wanted, digests, missing)
        if chain is not None and chain.whole:
            wanted = await run_sized(chain.size, wanted.continue_from, chain.messages)
            work = self._work(request, choice, wanted)
        thread = await self._find_thread(digests, wanted, name, chain)
        last_event = sse.parse_event_id(request.headers.get("last-event-id", "")) if wanted.stream else None
        if last_event is not None:
            question = await self.load(request, client, last_event.answer, thread, lasting=wanted.lasting)
            if await run_sized(weigh(work), _digest_like, work, question.about) != question.about.digest:
                raise AnswerNotFoundError
            return question.as_wanted(wanted)
        submission = await self._submit(request, client, work, wanted, thread, asked)
        question = await self._load_submitted(request, client, submission, thread, wanted)
        if submission.new and wanted.prompt.dialect == "responses":
            start = StoredResponse(
                submission.token,
                digests.owner,
                question.about,
                question.accepted,
                own,
                client.holder,
                named=thread.named,
            )
            await self.stored.keep(client.name or submission.token, question.answer, start, chain)
        return question

    async def _load_submitted(
        self, request: Request, client: Client, submission: Submission, thread: Thread, wanted: CompletionRequest
    ) -> SubmittedQuestion:
        request.state.answer = submission.answer_id
        question = await self.load(
            request, client, submission.answer_id, thread, new=submission.new, lasting=wanted.lasting
        )
        return question.as_wanted(wanted)

    async def _find_repeated(
        self,
        request: Request,
        client: Client,
        asked: Chat,
        wanted: CompletionRequest,
        digests: ConversationDigests,
        missing: InvalidRequestError,
    ) -> SubmittedQuestion:
        """Return what was asked under the request's Idempotency-Key before its previous response was `missing`."""
        thread = Thread(digests, None)
        key = self._key(request, client, wanted, thread)
        if key is None:
            raise missing
        try:
            submission = await self.questions.submit(asked, client, token=new_token(), key=key)
        except TokenUnknownError:
            raise missing from None
        return await self._load_submitted(request, client, submission, thread, wanted)

    async def load(
        self, request: Request, client: Client, answer: str, thread: Thread, *, new: bool = False, lasting: bool = True
    ) -> SubmittedQuestion:
        """Return a question of the client by its answer's id. AnswerNotFoundError."""
        job = await self.questions.relay.answers.read_job(answer, client.holder)
        if job.about.kind != "chat":
            raise AnswerNotFoundError
        request.state.answer = answer
        submission = Submission(answer, job.token, new)
        return self._question(client, thread, submission, job.about, int(job.accepted), lasting=lasting)

    async def load_by_id(self, request: Request, client: Client, answer: str) -> SubmittedQuestion:
        """Return a question of the client for a request that contains nothing but the id."""
        digests = await self.conversations.load_digests(self._scope(request, client))
        return await self.load(request, client, answer, Thread(digests, None))

    async def recall(self, request: Request, client: Client, answer: str) -> SubmittedQuestion:
        """Return a stored response of the client whose events are no longer kept, with its end. AnswerNotFoundError."""
        recalled = await self.stored.read(answer, client.holder, request.state.admit)
        if recalled.end is None:
            raise AnswerNotFoundError
        request.state.answer = answer
        start, digests = recalled.start, await self.conversations.load_digests(self._scope(request, client))
        submission = Submission(answer, start.token, new=False)
        thread = Thread(digests, None)
        question = self._question(client, thread, submission, start.about, start.accepted, lasting=True)
        return replace(question, end=recalled.end)

    def _question(
        self, client: Client, thread: Thread, submission: Submission, about: About, accepted: int, *, lasting: bool
    ) -> SubmittedQuestion:
        return SubmittedQuestion(
            self.questions, self.conversations, client, thread, submission, about, accepted, lasting
        )

    def _scope(self, request: Request, client: Client) -> str:
        """Return whose conversations these are, in the words of the version before: its conversations continue."""
        if client.holder:
            return f"holder:{client.holder}"
        return find_owner(request, client) or f"{client.name} {_NO_KEY}"

    async def _find_thread(
        self, digests: ConversationDigests, wanted: CompletionRequest, name: str | None, chain: ResponseChain | None
    ) -> Thread:
        if name is not None:
            return self.conversations.find_by_name(digests, name)
        if chain is not None:
            return Thread(digests, IndexedConversation(chain.token, chain.answers[0]))
        return await self.conversations.find_by_history(digests, wanted.prompt.messages, wanted.text.known)

    async def _submit(
        self, request: Request, client: Client, work: Chat, wanted: CompletionRequest, thread: Thread, asked: Chat
    ) -> Submission:
        """Submit the question to the conversation that it continues, or to a new one."""
        indexed = thread.indexed
        key = self._key(request, client, wanted, thread)
        submit = partial(
            self.questions.submit, work, client, key=key, attempt=self.clients.read_attempt(request), asked=asked
        )
        if indexed is None:
            return await submit(token=None)
        try:
            return await submit(token=indexed.token, create=thread.named, after=indexed.answer)
        except (TokenUnknownError, ConversationMovedError):
            if wanted.previous is not None and work is asked:
                # Only the conversation itself knows what came before.
                raise missing_response(wanted.previous) from None
            # Somebody has continued it, or it is no longer kept: a new one gets the whole history.
            return await submit(token=None)

    def _work(self, request: Request, choice: ModelChoice, wanted: CompletionRequest) -> Chat:
        """Return the work of a request. InvalidRequestError.

        A chat completion is in text, if that says all of it for a model of Bing's. Answers of the other dialects are
        rendered from what their work says of the request.
        """
        prompt, text = wanted.prompt, wanted.text
        reject_needs(prompt, choice.missing(prompt))
        if choice.text_only(prompt):
            reject_other_parts(prompt)
        work = Chat(
            choice.style or "balanced",
            text.question,
            request=request.state.request_id,
            wait=preferred_wait(request),
            instructions=text.instructions,
            history=text.history,
            leading=text.leading,
            asked=text.asked,
        )
        if choice.style is not None and prompt.dialect == "chat" and is_text(prompt):
            return work
        session = request.headers.get("x-session-id", "")[:MAX_SESSION] or prompt.session
        beta = request.headers.get("openai-beta")
        headers = prompt.headers or ({"openai-beta": beta} if beta else {})
        ignored = choice.ignored(prompt)
        request.state.ignored = own_names(prompt, ignored)
        return Prompted(
            work.style,
            "",
            request=work.request,
            wait=work.wait,
            prompt=msgspec.structs.replace(
                prompt, model=choice.name, session=session, headers=headers, ignored=ignored
            ),
            include_usage=wanted.usage,
            functions=wanted.functions,
            echo=wanted.echo,
            stored=wanted.stored,
            background=wanted.background,
        )

    def _key(self, request: Request, client: Client, wanted: CompletionRequest, thread: Thread) -> RequestKey | None:
        """Return the request's Idempotency-Key.

        Where the conversation is found by its history, the key is valid for all: a repeat may find it continued.
        """
        key = idempotency_key(request)
        if key is None:
            return None
        named = thread.indexed.token if thread.named and thread.indexed else None
        endpoint = " ".join([request.url.path, *([wanted.previous] if wanted.previous else [])])
        return RequestKey(key, endpoint, find_owner(request, client), named)


def _digest_like(work: Chat, about: About) -> str:
    """Return the digest of work, in text if that is how the other was asked: while a 0.1 worker was alive."""
    plain = plain_question(work) if isinstance(work, Prompted) and not about.dialect else None
    return describe(plain or work).digest
