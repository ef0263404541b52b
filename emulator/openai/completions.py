"""POST /v1/chat/completions: the question, what happens to it, and its place in the ledger."""

from aiohttp import web

from emulator import words
from emulator.accounts import DAY, Account
from emulator.bing import Bing
from emulator.ledger import TurnEntry, finish
from emulator.openai import body, keys, models, outcomes, problem, refusals
from emulator.openai.body import Body
from emulator.openai.messages import Said, said
from emulator.openai.outcomes import Outcome
from emulator.openai.problem import Problem, ProblemError
from emulator.openai.replies import Reply, Streamed, Whole
from emulator.openai.turn import Turn
from emulator.pace import Pace
from emulator.words import Words

CHARACTERS = 4  # about so many make a token
REMEMBERED = 200  # characters of the question before, as with Bing
NAMES = outcomes.names("chat")


class Completions:
    def __init__(self, bing: Bing) -> None:
        self._bing = bing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        account = keys.account_of(request, self._bing)
        refused = keys.refusal(account, self._bing)
        try:
            asked = body.parse(await request.read())
        except ProblemError as error:
            return (refused or error.problem).response()
        told = said(asked.messages)
        entry = self._entered(account, asked, told)
        try:
            if refused is not None:
                return self._refuse(entry, "unauthorized", refused)
            if asked.model not in models.MODELS:
                return self._refuse(entry, "model-not-found", problem.no_model(asked.model))
            return await self._answer(request, account, entry, asked, told)
        except ConnectionError:
            raise web.HTTPServiceUnavailable from None  # nobody is left who could read it
        finally:
            finish(entry, "client gone", self._bing.clock.now())

    def _entered(self, account: Account, asked: Body, told: Said) -> TurnEntry:
        thread = self._bing.threads.enter(told.questions, told.question)
        entry = TurnEntry(
            started=self._bing.clock.now(),
            account=account.name,
            conversation=thread.id,
            invocation=str(thread.requests),
            question=told.question,
            start_of_session=not told.questions,
            tone=asked.tone,
            context=told.context,
            api="openai",
            model=asked.model,
            messages=len(told.before),
            digest=told.digest,
        )
        self._bing.ledger.turns.append(entry)
        return entry

    def _refuse(self, entry: TurnEntry, name: str, given: Problem) -> web.Response:
        entry.scripted = name
        finish(entry, refusals.CHAT[name].outcome, self._bing.clock.now())
        return given.response()

    async def _answer(
        self, request: web.Request, account: Account, entry: TurnEntry, asked: Body, told: Said
    ) -> web.StreamResponse:
        now = self._bing.clock.now()
        if account.spent(self._bing.settings.daily_quota, now):
            entry.scripted = "throttled"
            finish(entry, "Throttled", now)
            return refusals.throttled(max(1.0, account.window_start + DAY - now))
        name, shaped = self._judge(account, told.question)
        outcome = outcomes.CHAT[name]
        entry.scripted = name
        if not isinstance(outcome, Outcome):
            finish(entry, outcome.outcome, now)
            return outcome.answer(shaped.number)
        account.spend(now)
        turn = begun(asked, told, shaped, now)
        reply = self._reply(request, turn, entry, outcome)
        return await reply.play(outcome.play(turn), Pace(self._bing.settings.pace))

    def _judge(self, account: Account, question: str) -> tuple[str, Words]:
        """Outcome of a question, with the words that shape it: what is scripted for the account comes first."""
        asked = self._bing.read(question, NAMES)
        script = self._bing.accounts.take(account.name, "chat")
        if script is not None:
            ordered = words.scripted(script, NAMES)
            number = asked.number if ordered.outcome is None else ordered.number
            asked = Words(ordered.outcome or asked.outcome, asked.options | ordered.options, number, asked.topic)
        return asked.outcome or "plain", asked

    def _reply(self, request: web.Request, turn: Turn, entry: TurnEntry, outcome: Outcome) -> Reply:
        if turn.stream:
            return Streamed(request, turn, entry, self._bing.clock, outcome.framing)
        return Whole(request, turn, entry, self._bing.clock)


def begun(asked: Body, told: Said, shaped: Words, now: float) -> Turn:
    previous = words.read(told.questions[-1], NAMES).topic[:REMEMBERED] if told.questions else None
    return Turn(
        words=shaped,
        question=told.question,
        tone=asked.tone,
        previous=previous,
        number=len(told.questions) + 1,
        model=asked.model,
        stream=asked.stream,
        include_usage=asked.include_usage,
        asked_tokens=sum(1 + len(message.text) // CHARACTERS for message in asked.messages),
        created=int(now),
    )
