"""Hands questions of /v1 over, each to the conversation that it goes on with."""

import hashlib
from dataclasses import dataclass

import structlog
from starlette.requests import Request

from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import AnswerSubscription, Relay
from gateway.auth.clients import Clients, sent_key
from gateway.errors import AnswerUnknownError, DrainingError
from gateway.http import sse
from gateway.legacy import params
from gateway.openai import validation
from gateway.openai.conversations import ConversationLookup, Digests, Thread
from gateway.openai.errors import AnswerFailedError, InvalidRequestError
from gateway.openai.requests import CompletionRequest
from gateway.openai.text_assembler import TextAssembler
from gateway.openai.validation import Fields
from wire.conversation_index import IndexedConversation
from wire.errors import AnswerGoneError, ConversationMovedError, StoreUnavailableError, TokenUnknownError
from wire.jobs import Client, IdempotencyKey, new_answer_id, new_token
from wire.messages import Chat, Failed

_LOG = structlog.get_logger()


@dataclass(frozen=True)
class SubmittedQuestion:
    """A question that was handed over; `answer` is its answer's id, `new` unless it was asked before.

    `kept`: a later question may go on from the answer by its id.
    """

    relay: Relay
    conversations: ConversationLookup
    client: Client
    thread: Thread
    answer: str
    token: str
    work: Chat
    accepted: int
    new: bool
    kept: bool

    def follow(self) -> AnswerSubscription:
        """The answer's events, from the first one on."""
        return self.relay.resume(self.answer, new=self.new)

    async def end(self, writing: TextAssembler, text: str) -> None:
        """The client has all of the answer, as `text`: stop the rest of it, and note where the conversation stands."""
        if writing.cut:
            try:
                await self.relay.jobs.stop(self.answer, self.client.holder)
            except (StoreUnavailableError, AnswerGoneError) as error:
                _LOG.warning("answer not stopped", answer=self.answer, cause=str(error))
        await self.conversations.note(self.thread, IndexedConversation(self.token, self.answer), text, kept=self.kept)

    async def whole(self, request: Request, writing: TextAssembler) -> None:
        """Let the answer be written to its end. AnswerFailedError, AnswerGoneError, DeadlineError, DrainingError."""
        turns = self.relay.turns
        async with (
            turns.turn(self.relay.limit, receive=request.receive),
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
        raise AnswerGoneError("the answer's events stopped")


@dataclass(frozen=True)
class QuestionService:
    """Asks for clients, whom it tells apart."""

    relay: Relay
    clients: Clients
    idempotency: Idempotency
    conversations: ConversationLookup

    async def ask(self, request: Request, client: Client, found: Fields, asked: CompletionRequest) -> SubmittedQuestion:
        """Hand over what a request asks, unless it asks for the rest of an answer.

        InvalidRequestError, and whatever the gateway's table of errors knows.
        """
        name = validation.conversation(
            found, request.headers.get("x-conversation-id"), self.idempotency.shortest(client)
        )
        digests = await self.conversations.of(self._scope(request, client))
        thread = await self._thread(digests, asked, name)
        position = sse.position(request.headers.get("last-event-id", "")) if asked.stream else None
        if position is not None:
            question = await self.found(request, client, position.answer, thread, kept=asked.kept)
            talk, work = asked.talk, question.work
            if (talk.instructions, talk.history, talk.question) != (work.instructions, work.history, work.question):
                raise AnswerUnknownError
            return question
        if self.relay.turns.draining:
            raise DrainingError
        answer = new_answer_id()
        submitted = await self._submit(request, client, asked, thread, answer)
        request.state.answer = submitted
        if submitted == answer:
            _LOG.info("question accepted", answer=answer)
        return await self.found(request, client, submitted, thread, new=submitted == answer, kept=asked.kept)

    async def found(
        self, request: Request, client: Client, answer: str, thread: Thread, *, new: bool = False, kept: bool = True
    ) -> SubmittedQuestion:
        """A question that was handed over, by its answer's id. AnswerUnknownError if the client asked no such one."""
        try:
            asked = await self.relay.answers.read_job(answer, client.holder)
        except AnswerGoneError:
            raise AnswerUnknownError from None
        if not isinstance(asked.work, Chat):
            raise AnswerUnknownError
        request.state.answer = answer
        accepted = int(asked.accepted)
        return SubmittedQuestion(
            self.relay, self.conversations, client, thread, answer, asked.token, asked.work, accepted, new, kept
        )

    async def by_id(self, request: Request, client: Client, answer: str) -> SubmittedQuestion:
        """As `found`, for somebody who has nothing but the id."""
        digests = await self.conversations.of(self._scope(request, client))
        return await self.found(request, client, answer, Thread(digests, None))

    def _scope(self, request: Request, client: Client) -> str:
        """Who shares conversations: a key's holder; without a list of keys, who sends the same from one address."""
        if client.holder:
            return f"holder:{client.holder}"
        return f"{client.name} {hashlib.sha256(sent_key(request).encode('utf-8', 'replace')).hexdigest()}"

    async def _thread(self, digests: Digests, asked: CompletionRequest, name: str | None) -> Thread:
        if name is not None:
            return self.conversations.named(digests, name)
        if asked.previous is not None:
            return await self.conversations.after(digests, asked.previous.removeprefix("resp_"))
        return await self.conversations.told(digests, asked.talk)

    async def _submit(
        self, request: Request, client: Client, asked: CompletionRequest, thread: Thread, answer: str
    ) -> str:
        """The id of the answer that the question gets, or has got under its Idempotency-Key."""
        talk, standing, jobs = asked.talk, thread.standing, self.relay.jobs
        work = Chat(
            asked.style,
            talk.question,
            request=request.state.request_id,
            wait=params.patience(", ".join(request.headers.getlist("prefer"))),
            instructions=talk.instructions,
            history=talk.history,
        )
        once, fresh = await self._once(request, client, asked, thread, work)
        begins = thread.named or (standing is None and asked.previous is None)
        token, after = (fresh, "") if standing is None else (standing.token, standing.answer)
        try:
            return await jobs.submit(answer, work, token, create=begins, client=client, once=once, after=after)
        except (TokenUnknownError, ConversationMovedError):
            if asked.previous is not None:
                told = (
                    f"The conversation does not go on from '{asked.previous}': it is unknown, or not the last response."
                )
                raise InvalidRequestError(told, "previous_response_id", "previous_response_not_found") from None
            # Somebody has gone on from there, or it is no longer kept: a fresh one is told what was said.
            return await jobs.submit(answer, work, fresh, create=True, client=client, once=once)

    async def _once(
        self, request: Request, client: Client, asked: CompletionRequest, thread: Thread, work: Chat
    ) -> tuple[IdempotencyKey | None, str]:
        """What an Idempotency-Key stands for, and the token of a fresh conversation.

        Where the conversation is found by what was said, the key counts for all: a repeat may find it moved on.
        """
        key = self.idempotency.key(request, client)
        if key is None:
            return None, new_token()
        named = thread.standing.token if thread.named and thread.standing else None
        endpoint = " ".join([request.url.path, *([asked.previous] if asked.previous else [])])
        return await self.idempotency.once(client, key, endpoint, work, named)
