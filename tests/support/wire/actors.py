"""What gateways and workers ask of wire, call by call, and what they do with what comes back, or doesn't."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

from tests.support.wire.checked_store import CheckedStore, Fate, Judge, Judges
from tests.support.wire.scenario import Scenario
from tests.support.wire.tokens import Job
from tests.support.worker.harness import report_nothing
from wire import keys
from wire.appends import Appended
from wire.blocks import Block, Piece
from wire.errors import StoreUnavailableError, WireError
from wire.jobs import Client, IdempotencyKey, _NewJob
from wire.messages import Chat, Delta, Failed, Final, HistoryMessage, apply_to_blocks
from wire.sessions import ClaimedJob, Lease, State, StatelessSession, Turns
from wire.terminal_events import INTERRUPTED, INTERRUPTED_ONLY
from worker.turns.sent_mark import SentMark

# What a gateway does; and what a worker does, where it fits: else it continues a turn, or takes turns.
Wish = Literal["ask", "expire", "stop", "abandon", "end session", "sweep"]
Step = Literal["well", "afresh", "streams", "is refused", "fails", "goes back", "takes"]
Chore = Literal["goes on", "gives up", "beats", "reasserts", "forgets", "releases", "reaps", "drains"]

SLOTS = 4
# How many turns in a row each client gets while others wait.
WEIGHTS = {"": 1, "c": 1, "d": 2}
# The event of a job that has ended before its work was read.
_UNREAD = Failed("state.lost", reset=False)
_NOT_ASKED = Failed("account.none", reset=False)

T = TypeVar("T")


def pick(among: list[T], which: int) -> T:
    """One of them, whatever their number."""
    return among[which % len(among)]


def nothing(_: object = None) -> None:
    """Ignore an outcome."""


@dataclass(eq=False)
class Call:
    """A call whose outcome its process doesn't know: it was lost, or is `heard` of later.

    `then` takes a result or an error. `give_up` is what the process does when it stops trying; None if it never does.
    """

    make: Callable[[], Awaitable[Any]]
    judge: Judge | Judges
    then: Callable[[Any], None]
    give_up: Callable[[], None] | None
    heard: bool
    outcome: Any


class Process:
    """Who makes calls, and makes them again when nothing comes back."""

    def __init__(self, store: CheckedStore, scenario: Scenario) -> None:
        self.store = store
        self.scenario = scenario
        self.unanswered: list[Call] = []

    @property
    def busy(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self.unanswered)

    async def call(
        self,
        make: Callable[[], Awaitable[Any]],
        judge: Judge | Judges,
        fate: Fate,
        then: Callable[[Any], None] = nothing,
        give_up: Callable[[], None] | None = nothing,
    ) -> None:
        """Make a call. slow: its outcome is there, and heard of later."""
        outcome = await self.store.carry(make, judge, fate)
        if fate == "slow" or isinstance(outcome, StoreUnavailableError):
            self.unanswered.append(Call(make, judge, then, give_up, fate == "slow", outcome))
        else:
            then(outcome)

    async def go_on(self, which: int, fate: Fate) -> None:
        """Hear of an outcome at last, or make the call again."""
        if not self.unanswered:
            return
        call = pick(self.unanswered, which)
        self.unanswered.remove(call)
        if call.heard:
            call.then(call.outcome)
        else:
            await self.call(call.make, call.judge, fate, call.then, call.give_up)

    def give_up(self, which: int) -> None:
        """Stop trying."""
        call = pick(self.unanswered, which) if self.unanswered else None
        if call and call.give_up and not call.heard:
            self.unanswered.remove(call)
            call.give_up()


class Gateway(Process):
    """All gateways: they keep nothing that matters here."""

    def __init__(self, store: CheckedStore, scenario: Scenario) -> None:
        super().__init__(store, scenario)
        self._names: list[str] = []
        self._asked = 0

    async def do(self, wish: Wish, which: int, client: str, key: str, other: bool, fate: Fate) -> None:
        """Ask a question, or call off one that is there."""
        jobs = list(self.store.model.jobs.values())
        if wish == "ask" or not jobs:
            await self._ask(which, client, IdempotencyKey(key, "other" if other else "question") if key else None, fate)
        else:
            # Mostly what streams.
            streaming = [job for job in jobs if job.state == "STREAMING"] if which else []
            await self._call_off(wish, pick(streaming or jobs, which), fate, elsewhere=other)

    async def _ask(self, which: int, client: str, once: IdempotencyKey | None, fate: Fate) -> None:
        """Ask a first question, whose token follows from its key if it has one, or a further one."""
        name = f"of-{once.name}" if once else pick([*self._names, f"t{self._asked}"], which)
        create = bool(once) or name not in self._names
        if name not in self._names:
            self._names.append(name)
        self._asked += 1
        answer, work = f"s0-{self._asked}", Chat("balanced", str(self._asked))

        def make() -> Awaitable[str]:
            # Without the withdrawal that follows a lost reply: here the call is made again instead.
            new = _NewJob(answer, name, create, Client(client, weight=weight), once, after="", attempt="")
            return self.scenario.jobs._submit(new, work)

        job, weight = Job(answer, name, client, once, WEIGHTS[client]), WEIGHTS[client]
        await self.call(make, partial(self.store.model.enqueue, job, create), fate)

    async def _call_off(self, wish: Wish, job: Job, fate: Fate, *, elsewhere: bool) -> None:
        """End an answer; an abandoned one may have a reader at another gateway (`elsewhere`), which keeps it."""
        scenario, model, answer, token = self.scenario, self.store.model, job.answer, job.token
        if wish == "expire":
            await self.call(lambda: scenario.jobs.expire(answer), partial(model.expire, answer), fate)
        elif wish == "sweep":
            await self.call(scenario.jobs.sweep, model.sweep, fate)
        elif wish == "stop":
            await self.call(lambda: scenario.jobs.stop(answer), partial(model.stop, answer), fate)
        elif wish == "abandon" and elsewhere:
            await self._abandon_followed(answer)
        elif wish == "abandon":
            await self.call(lambda: scenario.jobs.stop_abandoned(answer), partial(model.abandon, answer), fate)
        elif job.once is None:  # a token that follows from a key would come again with its fences at 0
            await self.call(lambda: scenario.sessions.end(token), partial(model.end_session, token), fate)

    async def _abandon_followed(self, answer: str) -> None:
        before = self.store.seen
        async with self.scenario.redis.pubsub() as reader:
            await reader.subscribe(keys.channel(answer))
            await reader.get_message(timeout=None)
            assert not await self.scenario.jobs.stop_abandoned(answer)
        await self.store.observe()
        assert self.store.seen == before


@dataclass(eq=False)
class Turn:
    """One job at a worker, whose work may be `short`. ends: it only remains to finish it.

    `waits`: for the outcome of a call. `asked` is how many questions its conversation has, 0 before this one was sent;
    `seq` is the last event that it has streamed, and `written` the last one that Redis has confirmed, with `last`;
    `blocks` are what it has streamed.
    """

    task: ClaimedJob
    short: bytes
    mark: SentMark
    stage: Literal["taken", "claimed", "sent", "ends", "over"] = "taken"
    attempt: int = 0
    asked: int = 0
    seq: int = 0
    written: int = 0
    waits: bool = False
    stateless: StatelessSession | None = None
    blocks: list[Block] = field(default_factory=list)
    last: Appended | None = None


class Worker(Process):
    """One worker. A frozen one has lost its heartbeat, and may go on; `lapses` counts how often it has.

    `draining`: it takes no more, and gives back what it has not sent.
    """

    def __init__(self, name: str, store: CheckedStore, scenario: Scenario) -> None:
        super().__init__(store, scenario)
        self.name = name
        self.frozen = False
        self.lapses = 0
        self.draining = False
        self.turns: list[Turn] = []
        self.idle: dict[str, Lease] = {}
        # The reply to a call that takes turns is on its way.
        self._taking = False
        # The numbers of the last such call, and of the last reply to one.
        self._number = self._seen = 0
        # Redis may count more as this worker's than it holds.
        self._must_reassert = False

    @property
    def busy(self) -> bool:
        return bool(self.unanswered or self.turns or self.store.to_do())

    def free(self, ending: int = 0) -> int:
        """Return how many more turns it can take; `ending` ones are about to end."""
        served = [turn for turn in self.turns if turn.stage != "over"]
        return 0 if self.draining else SLOTS - len(served) + ending

    async def begin(self) -> None:
        """Start the worker."""
        judge = partial(self.store.model.beat, self.name, 0)
        await self.store.carry(lambda: self.scenario.hire(self.name), judge, "arrives")

    async def do(self, step: Step | Chore, which: int, fate: Fate) -> None:
        """One thing of those that a worker does."""
        turns = [turn for turn in self.turns if turn.stage != "over" and not turn.waits]
        match step:
            case "goes on" if self.unanswered:
                await self.go_on(which, fate)
            case "gives up" if self.unanswered:
                self.give_up(which)
            case "beats":
                await self.beat(fate)
            case "reasserts":
                await self.reassert(fate)
            case "forgets":
                # It gives up on turns that it will never hear of, and soon reports that it doesn't hold them.
                await self.take(SLOTS, "late" if which % 2 else "lost")
                await self.reassert(fate)
            case "drains":
                self.draining = True
            case "releases" if self.idle:
                await self.release(pick(list(self.idle), which), fate)
            case "reaps":
                await self.reap(f"w{1 + which}", fate)
            case _ if turns and step != "takes":
                await self._step(pick(turns, which), step, fate)
            case _:
                await self.take(1 + which, fate)

    async def do_everything(self) -> None:
        """Do, once, what there is to do for a healthy worker."""
        await self.beat("arrives")
        for name in sorted(self.store.seen["workers"].get("", ())):
            if not self.store.model.alive(name):
                await self.reap(name, "arrives")
        if self._must_reassert:
            await self.reassert("arrives")
        await self.take(SLOTS, "arrives")
        for turn in list(self.turns):
            for _ in range(3):
                if turn.stage != "over":
                    await self._step(turn, "well", "arrives")
        self.turns = [turn for turn in self.turns if turn.stage != "over"]

    async def beat(self, fate: Fate) -> None:
        def then(beat: Any) -> None:
            self.frozen = False
            for turn in self.turns:
                if turn.task.answer in beat.stopped_answers and not turn.waits and turn.stage in ("claimed", "sent"):
                    self._break_off(turn)

        free = self.free()
        self._must_reassert |= fate in ("lost", "late")
        await self.call(
            lambda: self.scenario.sessions.beat(self.name, free=free),
            partial(self.store.model.beat, self.name, free),
            fate,
            then,
        )

    async def reap(self, dead: str, fate: Fate) -> None:
        judge = partial(self.store.model.reap, self.name, dead)
        await self.call(lambda: self.scenario.sessions.reap(self.name, dead), judge, fate)

    async def take(self, most: int, fate: Fate) -> None:
        """Take turns, up to `most`. It is never made again: the next call asks for what this one had."""
        free = min(self.free(), most)
        if self._taking or not free:
            return
        self._number += 1
        number, seen = self._number, self._seen
        turns = Counter(turn.task.client for turn in self.turns if turn.stage != "over")
        running = {client: count / WEIGHTS[client] for client, count in turns.items()}

        def then(outcome: Any) -> None:
            self._taking = False
            if isinstance(outcome, Turns):
                self._seen = outcome.number
                for job, short in outcome.jobs:
                    self.idle.pop(job.lease.token, None)
                    self.turns.append(Turn(job, short, SentMark(self.scenario.sessions, job, report_nothing)))

        self._taking = fate == "slow"
        judge = partial(self.store.model.take, self.name, number, seen, free, running)
        await self._call_once(
            lambda: self.scenario.sessions.take(self.name, number, seen, free, running), judge, fate, then
        )

    async def _call_once(
        self, make: Callable[[], Awaitable[Any]], judge: Judge, fate: Fate, then: Callable[[Any], None]
    ) -> None:
        """Make a call that is not made again when nothing comes back."""
        outcome = await self.store.carry(make, judge, fate)
        if fate == "slow":
            self.unanswered.append(Call(make, judge, then, None, heard=True, outcome=outcome))
        else:
            then(outcome)

    async def reassert(self, fate: Fate) -> None:
        """Report what it holds, and what it doesn't: that not while a reply is on its way that hands it out."""
        self._must_reassert = fate in ("lost", "late")
        sessions, model = self.scenario.sessions, self.store.model
        for turn in [turn for turn in self.turns if turn.stage not in ("taken", "over")]:
            held = (turn.task.lease, turn.task.answer, turn.asked, turn.written)
            make, judge = partial(sessions.reassert, *held), partial(model.reassert, *held)
            await self._call_once(make, judge, fate, partial(self._continue, turn))
        for token, lease in list(self.idle.items()):
            make, judge = partial(sessions.reassert, lease), partial(model.reassert, lease, "", 0, 0)
            await self._call_once(make, judge, fate, partial(self._continue_idle, token, lease))
        if self._taking:
            return
        served = {turn.task.lease.token for turn in self.turns if turn.stage != "over"}
        for lease in await sessions.read_leases(self.name):
            if lease.token not in served and lease.token not in self.idle:
                await self._call_once(partial(sessions.disclaim, lease), partial(model.disclaim, lease), fate, nothing)

    def _continue(self, turn: Turn, can_continue: Any) -> None:
        if can_continue is None and not turn.waits and turn.stage in ("claimed", "sent"):
            self._break_off(turn)

    def _continue_idle(self, token: str, lease: Lease, can_continue: Any) -> None:
        if can_continue is None and self.idle.get(token) is lease:
            del self.idle[token]

    # Turns

    async def _step(self, turn: Turn, step: str, fate: Fate) -> None:
        if turn.stage == "taken" and not self.draining:
            await self._read(turn, fate)
        elif turn.stage == "taken" or (turn.stage == "claimed" and (step == "goes back" or self.draining)):
            await self._go_back(turn, fate)
        elif turn.stage == "claimed" and step != "fails":
            await self._mark(turn, fate, afresh=step == "afresh")
        elif turn.stage == "sent" and step == "streams":
            await self._stream(turn, fate)
        elif turn.stage == "sent" and step == "is refused" and not turn.seq:
            await self._refuse(turn, fate)
        else:
            await self._finish(turn, fate, well=step != "fails", keeps=step != "goes back" and not self.draining)

    async def _read(self, turn: Turn, fate: Fate) -> None:
        """Read the turn's work. Without any its job ends."""
        task = turn.task

        def then(read: Any) -> None:
            turn.waits = False
            if isinstance(read, ClaimedJob):
                turn.task, turn.stage = read, "claimed"
                turn.mark = SentMark(self.scenario.sessions, read, report_nothing)
            else:
                turn.stage = "over"
                self._must_reassert |= read is not None

        turn.waits = True
        judge = partial(
            self.store.model.finish,
            task.lease,
            task.answer,
            "FAILED",
            _UNREAD,
            task.session,
            0,
            False,
            None,
            (),
            False,
            None,
        )
        give_up = partial(then, StoreUnavailableError("gave up"))
        await self.call(lambda: self.scenario.sessions.read_work(task, turn.short), judge, fate, then, give_up)

    async def _turn_call(
        self,
        turn: Turn,
        make: Callable[[], Awaitable[Any]],
        judge: Judge | Judges,
        fate: Fate,
        then: Callable[[Any], None] = nothing,
    ) -> None:
        """Make a call that the turn waits for. After an error, or after giving up, it only remains to finish."""

        def heard(outcome: Any) -> None:
            turn.waits = False
            if isinstance(outcome, Exception):
                self._break_off(turn)
            else:
                then(outcome)

        turn.waits = True
        await self.call(make, judge, fate, heard, partial(heard, StoreUnavailableError("gave up")))

    def _break_off(self, turn: Turn) -> None:
        turn.stage = "ends"
        self.store.model.upstream.leave(turn.task.answer)

    async def _mark(self, turn: Turn, fate: Fate, afresh: bool) -> None:
        """Send the question if the mark allows it, unless the worker was frozen meanwhile."""
        turn.attempt += 1
        task, attempt, lapses = turn.task, turn.attempt, self.lapses
        fresh = afresh or attempt > 1 or task.session is None
        sent = 1 if fresh else task.sent + 1
        # Every other attempt goes to an upstream that remembers nothing.
        turn.stateless = None
        if (attempt + int(task.answer.removeprefix("s0-"))) % 2:
            session = f"{task.answer} at {attempt}".encode()
            turn.stateless = StatelessSession(session, afresh or task.session is None)
        stateless = turn.stateless

        def make() -> Awaitable[None]:
            nonlocal lapses
            lapses = self.lapses
            return turn.mark.try_write(sent, fresh=fresh, stateless=stateless)

        def judge_of(script: str) -> Judge:
            if script == "refused":
                return partial(self.store.model.refused, task.lease, task.answer, turn.mark.number, unsent=True)
            number = turn.mark.number
            return partial(self.store.model.mark_sent, task.lease, task.answer, number, sent, fresh, stateless)

        def then(_: Any) -> None:
            if self.frozen or self.lapses != lapses:
                self._break_off(turn)
            else:
                turn.stage, turn.asked = "sent", sent
                self.store.model.ask_upstream(task.answer, (task.lease.fence, turn.mark.number))

        turn.mark.begin()
        await self._turn_call(turn, make, Judges(judge_of), fate, then)

    async def _stream(self, turn: Turn, fate: Fate) -> None:
        turn.seq += 1
        task, seq, event = turn.task, turn.seq, _growth(turn)
        apply_to_blocks(turn.blocks, event)

        def then(appended: Appended) -> None:
            turn.written, turn.last = seq, appended

        def make() -> Awaitable[Appended]:
            return self.scenario.append(task, seq, event, turn.last)

        judge = partial(self.store.model.append, task.lease, task.answer, seq, event)
        await self._turn_call(turn, make, judge, fate, then)

    async def _refuse(self, turn: Turn, fate: Fate) -> None:
        task, number = turn.task, turn.mark.number
        self.store.model.upstream.refuse(task.answer)

        def then(_: Any) -> None:
            turn.stage, turn.asked = "claimed", 0

        judge = partial(self.store.model.refused, task.lease, task.answer, number)
        await self._turn_call(turn, lambda: self.scenario.sessions.record_refusal(task, number), judge, fate, then)

    async def _go_back(self, turn: Turn, fate: Fate) -> None:
        """Drain the worker: what it has not sent goes to others."""
        lease = turn.task.lease

        def then(released: Any) -> None:
            turn.stage = "over" if released or turn.stage == "taken" else "ends"

        judge = partial(self.store.model.release, lease)
        await self._turn_call(turn, lambda: self.scenario.sessions.release(lease), judge, fate, then)

    async def _finish(self, turn: Turn, fate: Fate, *, well: bool, keeps: bool) -> None:
        """End the turn, which is repeated until it succeeds."""
        # What arrives with the end of every other answer goes out with it.
        rest = _growth(turn) if well and turn.stage == "sent" and turn.attempt % 2 else None
        if rest is not None:
            apply_to_blocks(turn.blocks, rest)
        task, state, event, session, sent = turn.task, *_outcome(turn, well)
        exchange, begins = _exchange(turn, event), turn.stateless is not None and turn.stateless.begins
        self._break_off(turn)

        def then(outcome: Any) -> None:
            turn.stage, turn.waits = "over", False
            if isinstance(outcome, WireError):
                self._must_reassert = True
            elif keeps:
                self.idle[task.lease.token] = task.lease

        def make() -> Awaitable[bool]:
            return self.scenario.sessions.finish(
                task,
                state,
                event,
                session,
                count_free=lambda: free,
                keeps=keeps,
                sent=sent,
                exchange=exchange,
                begins=begins,
                spent=False,
                seq=turn.written,
                rest=rest,
            )

        turn.waits, free = True, self.free(ending=1)
        judge = partial(
            self.store.model.finish,
            task.lease,
            task.answer,
            state,
            event,
            session,
            free,
            keeps,
            sent,
            exchange,
            begins,
            rest,
        )
        await self.call(make, judge, fate, then, None)

    async def release(self, token: str, fate: Fate) -> None:
        """Release a token that has had no work for long; if that fails, another time."""
        lease = self.idle.pop(token)
        judge = partial(self.store.model.release, lease)

        def give_up() -> None:
            self.idle.setdefault(token, lease)

        await self.call(lambda: self.scenario.sessions.release(lease), judge, fate, nothing, give_up)


def _growth(turn: Turn) -> Delta:
    """Return what a model says next: text, reasoning, or a call that isn't whole for most of the time."""
    last, number = turn.blocks[-1].kind if turn.blocks else "", len(turn.blocks)
    match (turn.seq + int(turn.task.answer.removeprefix("s0-"))) % 4:
        case 1 | 2 if last == "tool_call":
            return Delta("", pieces=(Piece(number - 1, "tool_call", "1, "),))
        case 1 | 2:
            return Delta("", pieces=(Piece(number, "tool_call", "[", id=f"call {turn.seq}", name="f"),))
        case 3:
            return Delta("so ", pieces=(Piece(number, "reasoning", "hm "), Piece(number + 1, "text", "so ")))
    return Delta(f"{turn.seq} of {turn.task.answer} ")


def _outcome(turn: Turn, well: bool) -> tuple[State, Final | Failed, bytes | None, int | None]:
    """State, event, session and what was sent in it before, for finish."""
    if turn.stage == "claimed":  # unspent: the conversation is as it was
        return "FAILED", _NOT_ASKED, turn.task.session, turn.task.sent
    if turn.stage == "sent" and well:
        return "DONE", Final("done"), f"after {turn.task.answer}".encode(), None
    if turn.stateless is not None:
        return "FAILED", INTERRUPTED_ONLY, turn.stateless.session, None
    return "FAILED", INTERRUPTED, None, None


def _exchange(turn: Turn, event: Final | Failed) -> tuple[HistoryMessage, ...]:
    """What the transcript gets of a turn that has this end."""
    question = HistoryMessage("user", turn.task.answer.removeprefix("s0-"))
    if isinstance(event, Final):
        return question, HistoryMessage("assistant", event.text)
    if event == INTERRUPTED_ONLY and turn.seq:
        return question, HistoryMessage("assistant", f"{turn.seq} deltas")
    return ()
