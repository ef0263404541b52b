"""Hand questions over to the workers: the same steps for every protocol."""

import hashlib
import uuid
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

    `attempt` is the X-Attempt-ID of a proxy, '' for none: the same request at another gateway gets the same answer. A
    request with an Idempotency-Key needs none.

    Raises NoWorkerError, DrainingError, KeyLengthError, TokenUnknownError, QueueFullError, ClientFullError,
    ClientDailyError, KeyReusedError, KeySpentError, ConversationMovedError and StoreUnavailableError.
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
        attempt: str = "",
        asked: Work | None = None,
    ) -> Submission:
        """Submit `work`. `after` is the answer that must be the conversation's last one, '' for any.

        `asked` is the work as the client sent it, which a repeat under its key must be equal to; None: the same.
        """
        if key is not None:
            self.idempotency.validate(key, client)
        self.relay.active_requests.check_accepting()
        if key is None:
            (name, new), once = _derive(attempt, client), None
        else:
            name, (once, new) = "", await self.idempotency.derive(key, client, asked or work)
        answer_id, conversation = new_answer_id(), token or new
        submitted = await self.relay.submit(
            answer_id,
            work,
            conversation,
            create=create or token is None,
            client=client,
            once=once,
            after=after,
            attempt=name,
        )
        return Submission(submitted, conversation, submitted == answer_id)

    def ask(
        self, work: Work, client: Client, *, token: str | None, create: bool = False, attempt: str = ""
    ) -> tuple[Submission, AnswerSubscription]:
        """Return a question without a key that is submitted on entering its subscription.

        So submitting and subscribing overlap: one round trip to Redis instead of two. The subscription's value has the
        answer's id, which is another one if the question was asked before under the same attempt.
        """
        name, new = _derive(attempt, client)
        submission = Submission(new_answer_id(), token or new, new=True)
        submit = partial(
            self.relay.submit,
            submission.answer_id,
            work,
            submission.token,
            create=create or token is None,
            client=client,
            attempt=name,
        )
        return submission, self.relay.subscribe(submission.answer_id, client, new=True, submit=submit)

    def follow(self, submission: Submission, client: Client, after: int = 0) -> AnswerSubscription:
        """Return a client's subscription to the answer's events behind `after`."""
        return self.relay.subscribe(submission.answer_id, client, after, new=submission.new)


def _derive(attempt: str, client: Client) -> tuple[str, str]:
    """Return the name under which Redis knows a client's attempt, and the token of the conversation that it makes.

    Without an attempt the name is empty, and the token a new one.
    """
    if not attempt:
        return "", new_token()
    name = hashlib.sha256(f"{client.name}\n{client.holder}\n{attempt}".encode())
    token = hashlib.sha256(b"token " + name.digest()).digest()[:16]
    return name.hexdigest(), str(uuid.UUID(bytes=token, version=4))
