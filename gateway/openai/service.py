"""Hands questions of /v1 over, each to the conversation that it goes on with."""

import hashlib
from dataclasses import dataclass

import structlog
from starlette.requests import Request

from gateway.answering.idempotency import RequestKey
from gateway.answering.relay import AnswerSubscription
from gateway.answering.submit import Questions, Submission
from gateway.auth.clients import Clients, read_api_key
from gateway.http import sse
from gateway.http.fields import idempotency_key, preferred_wait
from gateway.openai import validation
from gateway.openai.conversations import ConversationLookup, Digests, Thread
from gateway.openai.errors import AnswerFailedError, InvalidRequestError
from gateway.openai.requests import CompletionRequest
from gateway.openai.text_assembler import TextAssembler
from gateway.openai.validation import Fields
from wire.conversation_index import IndexedConversation
from wire.errors import (
    AnswerLostError,
    AnswerNotFoundError,
    ConversationMovedError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.jobs import Client, new_token
from wire.messages import Chat, Failed

_LOG = structlog.get_logger()


@dataclass(frozen=True)
class SubmittedQuestion:
    """A question that was handed over; `answer` is its answer's id, `new` unless it was asked before.

    `kept`: a later question may go on from the answer by its id.
    """

    questions: Questions
    conversations: ConversationLookup
    client: Client
    thread: Thread
    submission: Submission
    work: Chat
    accepted: int
    kept: bool

    @property
    def answer(self) -> str:
        """The answer's id."""
        return self.submission.answer_id

    def follow(self) -> AnswerSubscription:
        """The answer's events, from the first one on."""
        return self.questions.follow(self.submission)

    async def end(self, writing: TextAssembler, text: str) -> None:
        """The client has all of the answer, as `text`: stop the rest of it, and note where the conversation stands."""
        if writing.cut:
            try:
                await self.questions.relay.jobs.stop(self.answer, self.client.holder)
            except (StoreUnavailableError, AnswerNotFoundError) as error:
                _LOG.warning("answer not stopped", answer=self.answer, cause=str(error))
        indexed = IndexedConversation(self.submission.token, self.answer)
        await self.conversations.note(self.thread, indexed, text, kept=self.kept)

    async def whole(self, request: Request, writing: TextAssembler) -> None:
        """Let the answer be written to its end. AnswerFailedError, AnswerLostError, DeadlineError, DrainingError."""
        relay = self.questions.relay
        async with (
            relay.active_requests.track(relay.time_limit, receive=request.receive),
            self.follow() as entries,
        ):
            async for entry in entries:
                request.state.provider = entry.event.provider or getattr(request.state, "provider", "")
                if isinstance(entry.event, Failed):
                    raise AnswerFailedError(entry.event)
                writing.add(entry.event)
                if writing.over:
                    await self.end(writing, writing.whole)
                    return
        raise AnswerLostError


@dataclass(frozen=True)
class QuestionService:
    """Asks for clients, whom it tells apart."""

    questions: Questions
    clients: Clients
    conversations: ConversationLookup

    async def ask(self, request: Request, client: Client, found: Fields, asked: CompletionRequest) -> SubmittedQuestion:
        """Hand over what a request asks, unless it asks for the rest of an answer.

        InvalidRequestError, and whatever the gateway's table of errors knows.
        """
        name = validation.conversation(
            found, request.headers.get("x-conversation-id"), self.questions.idempotency.min_length(client)
        )
        digests = await self.conversations.of(self._scope(request, client))
        thread = await self._thread(digests, asked, name)
        position = sse.parse_event_id(request.headers.get("last-event-id", "")) if asked.stream else None
        if position is not None:
            question = await self.found(request, client, position.answer, thread, kept=asked.kept)
            talk, work = asked.talk, question.work
            if (talk.instructions, talk.history, talk.question) != (work.instructions, work.history, work.question):
                raise AnswerNotFoundError
            return question
        submission = await self._submit(request, client, asked, thread)
        request.state.answer = submission.answer_id
        if submission.new:
            _LOG.info("question accepted", answer=submission.answer_id)
        return await self.found(request, client, submission.answer_id, thread, new=submission.new, kept=asked.kept)

    async def found(
        self, request: Request, client: Client, answer: str, thread: Thread, *, new: bool = False, kept: bool = True
    ) -> SubmittedQuestion:
        """A question that was handed over, by its answer's id. AnswerNotFoundError if the client asked no such one."""
        asked = await self.questions.relay.answers.read_job(answer, client.holder)
        if not isinstance(asked.work, Chat):
            raise AnswerNotFoundError
        request.state.answer = answer
        submission = Submission(answer, asked.token, new)
        return SubmittedQuestion(
            self.questions, self.conversations, client, thread, submission, asked.work, int(asked.accepted), kept
        )

    async def by_id(self, request: Request, client: Client, answer: str) -> SubmittedQuestion:
        """As `found`, for somebody who has nothing but the id."""
        digests = await self.conversations.of(self._scope(request, client))
        return await self.found(request, client, answer, Thread(digests, None))

    def _scope(self, request: Request, client: Client) -> str:
        """Who shares conversations: a key's holder; without a list of keys, who sends the same from one address."""
        if client.holder:
            return f"holder:{client.holder}"
        return f"{client.name} {hashlib.sha256(read_api_key(request).encode('utf-8', 'replace')).hexdigest()}"

    async def _thread(self, digests: Digests, asked: CompletionRequest, name: str | None) -> Thread:
        if name is not None:
            return self.conversations.named(digests, name)
        if asked.previous is not None:
            return await self.conversations.after(digests, asked.previous.removeprefix("resp_"))
        return await self.conversations.told(digests, asked.talk)

    async def _submit(self, request: Request, client: Client, asked: CompletionRequest, thread: Thread) -> Submission:
        """Submit the question to the conversation that it continues, or to a new one."""
        talk, standing, submit = asked.talk, thread.standing, self.questions.submit
        work = Chat(
            asked.style,
            talk.question,
            request=request.state.request_id,
            wait=preferred_wait(request),
            instructions=talk.instructions,
            history=talk.history,
        )
        key = self._key(request, asked, thread)
        if standing is None and asked.previous is None:
            return await submit(work, client, token=None, key=key)
        # Of a response that is not known, an Idempotency-Key may still know the next one.
        token, after = (new_token(), "") if standing is None else (standing.token, standing.answer)
        try:
            return await submit(work, client, token=token, create=thread.named, key=key, after=after)
        except (TokenUnknownError, ConversationMovedError):
            if asked.previous is not None:
                told = (
                    f"The conversation does not go on from '{asked.previous}': it is unknown, or not the last response."
                )
                raise InvalidRequestError(told, "previous_response_id", "previous_response_not_found") from None
            # Somebody has continued it, or it is no longer kept: a new one gets the whole history.
            return await submit(work, client, token=None, key=key)

    def _key(self, request: Request, asked: CompletionRequest, thread: Thread) -> RequestKey | None:
        """Return the request's Idempotency-Key.

        Where the conversation is found by its history, the key counts for all: a repeat may find it moved on.
        """
        key = idempotency_key(request)
        if key is None:
            return None
        named = thread.standing.token if thread.named and thread.standing else None
        return RequestKey(key, " ".join([request.url.path, *([asked.previous] if asked.previous else [])]), named)
