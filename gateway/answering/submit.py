"""Hand questions over to the workers: the same steps for every protocol."""

from dataclasses import dataclass
from functools import partial

from gateway.answering.idempotency import Idempotency, RequestKey
from gateway.answering.relay import AnswerSubscription, Relay
from wire.jobs import Client, new_answer_id, new_token
from wire.messages import Work


@dataclass(frozen=True, slots=True)
class Submission:
    """A question that was handed over; `new` unless its Idempotency-Key had an answer before."""

    answer_id: str
    token: str
    new: bool


@dataclass(frozen=True)
class Questions:
    """Submits questions. `create` makes the conversation `token` if there is none; without a token a new one is made.

    Raises DrainingError, KeyLengthError, TokenUnknownError, QueueFullError, ClientFullError, KeyReusedError,
    KeySpentError, ConversationMovedError and StoreUnavailableError.
    """

    relay: Relay
    idempotency: Idempotency

    async def submit(
        self,
        work: Work,
        client: Client,
        *,
        token: str | None,
        create: bool = False,
        key: RequestKey | None = None,
        after: str = "",
    ) -> Submission:
        """Submit `work`. `after` is the answer that must be the conversation's last one, '' for any."""
        if key is not None:
            self.idempotency.validate(key, client)
        self.relay.active_requests.check_accepting()
        once, new = (None, new_token()) if key is None else await self.idempotency.derive(key, client, work)
        answer_id, conversation = new_answer_id(), token or new
        submitted = await self.relay.jobs.submit(
            answer_id, work, conversation, create=create or token is None, client=client, once=once, after=after
        )
        return Submission(submitted, conversation, submitted == answer_id)

    def ask(
        self, work: Work, client: Client, *, token: str | None, create: bool = False
    ) -> tuple[Submission, AnswerSubscription]:
        """Return a question without a key that is submitted on entering its subscription.

        So submitting and subscribing overlap: one round trip to Redis instead of two.
        """
        submission = Submission(new_answer_id(), token or new_token(), new=True)
        submit = partial(
            self.relay.jobs.submit,
            submission.answer_id,
            work,
            submission.token,
            create=create or token is None,
            client=client,
        )
        return submission, self.relay.subscribe(submission.answer_id, new=True, submit=submit)

    def follow(self, submission: Submission, after: int = 0) -> AnswerSubscription:
        """Return a subscription to the answer's events behind `after`."""
        return self.relay.subscribe(submission.answer_id, after, new=submission.new)
