"""What must hold on one Redis whatever is lost, doubled, late or dead: the scripts' meaning in plain Python."""

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from gateway.settings import GatewaySettings
from tests.support.wire.ring_model import RingModel
from tests.support.wire.tokens import Exchange, Job, Token
from wire.blocks import Block
from wire.messages import TERMINAL, Event, Failed, Final, HistoryMessage, apply_to_blocks, decode_event
from wire.sessions import Lease, State, StatelessSession
from wire.terminal_events import INTERRUPTED, INTERRUPTED_ONLY, POISON, STATE_LOST

# What is in Redis, by kind of key and by id.
Seen = dict[str, dict[str, Any]]
_EXPIRED = Failed("queue.timeout", reset=False)
_CLOSED = Failed("session.closed")


@dataclass
class Asking:
    """One sending of a question, as the upstream knows it. `open`: it is being answered."""

    attempt: object
    open: bool = True
    refused: bool = False


class Upstream:
    """Counts what reaches it: no attempt twice, and a further one only after it refused the one before."""

    def __init__(self) -> None:
        self._asked: dict[str, list[Asking]] = defaultdict(list)

    def ask(self, answer: str, attempt: object) -> None:
        earlier = self._asked[answer]
        assert all(asking.attempt != attempt for asking in earlier), ("an attempt arrived twice", answer, attempt)
        assert all(asking.refused for asking in earlier), ("asked again without a refusal", answer, attempt)
        earlier.append(Asking(attempt))

    def refuse(self, answer: str) -> None:
        """Refuse the last question, before any text."""
        self._asked[answer][-1].refused = True
        self.leave(answer)

    def leave(self, answer: str) -> None:
        """Give the worker the whole answer, or hang up."""
        for asking in self._asked[answer]:
            asking.open = False

    def answering(self) -> set[str]:
        """Return the answers that it works on."""
        return {answer for answer, asked in self._asked.items() if any(asking.open for asking in asked)}


class Model:
    """Who holds what, and what each job has come to.

    A method named like a script says whether a reply of that script is right, takes note of what follows from it, and
    returns whether the call may have changed anything in Redis.
    """

    def __init__(self, limits: GatewaySettings) -> None:
        self._limits = limits
        self.jobs: dict[str, Job] = {}
        self.works: set[str] = set()
        self.inside = False
        self.tokens: dict[str, Token] = {}
        self.upstream = Upstream()
        self._alive: set[str] = set()
        self._judges: set[str] = set()
        self._paused: set[str] = set()
        self._stops: dict[str, set[str]] = defaultdict(set)
        self._keys: dict[str, Job] = {}
        self.ring = RingModel(self._alive)
        # What each worker took last: the call's number, and token, job and fence of each turn.
        self._took: dict[str, tuple[int, list[tuple[Token, Job, int]]]] = {}
        # The waiting jobs, oldest first.
        self._queue: list[str] = []

    # Time and death

    def beat(self, worker: str, free: int, reply: tuple[int, list[bytes], int]) -> bool:
        if worker not in self._alive or worker in self._paused:
            self._judges.discard(worker)
        self._paused.discard(worker)
        self._alive.add(worker)
        self.ring.set_free(worker, free)
        if self._judge(worker):
            self._sweep()
        assert {answer.decode() for answer in reply[1]} == self._stops[worker]
        assert reply[2] == len(self.ring.order)
        return True

    def _sweep(self) -> None:
        """End what has waited for too long, from the oldest on."""
        for job in map(self.jobs.__getitem__, self._queue):
            if not job.overdue:
                return
            self._end(job, "FAILED", _EXPIRED)

    def sweep(self, reply: None) -> bool:
        assert reply is None
        self._sweep()
        return True

    def lease_passes(self) -> None:
        """Whoever has a heartbeat has beaten for a whole lease, but for those that have not since Redis paused."""
        self._judges = self._alive - self._paused

    def redis_pauses(self) -> None:
        """For longer than half a lease nobody could beat."""
        self._paused = set(self._alive)

    def dies(self, worker: str) -> None:
        """End the worker's heartbeat."""
        self._alive.discard(worker)
        self._judges.discard(worker)
        self._paused.discard(worker)

    def leaves(self, worker: str) -> None:
        self.dies(worker)
        self._stops.pop(worker, None)
        self.ring.set_free(worker, 0)
        if not any(token.owner == worker for token in self.tokens.values()):
            self._took.pop(worker, None)

    def alive(self, worker: str) -> bool:
        return worker in self._alive

    def _judge(self, worker: str) -> bool:
        return worker in self._judges - self._paused

    def _take_over(self, token: Token) -> None:
        """Apply what happens to a token whose owner is dead."""
        job = token.running
        self._disown(token)
        if job and job.state != "CLAIMED":
            job.taken_over = True
            self._break_off(token, job)
        elif job:
            job.tries += 1
            if job.tries < 2:
                self._put_back(token, job)
            else:
                self._end(job, "FAILED", POISON)
        self._forget_ending(token)

    def _break_off(self, token: Token, job: Job) -> None:
        """Apply what happens to a conversation whose last question was out at a dead worker."""
        keeps = job.stateless
        if job.ended:
            keeps = job.state == "STOPPED" and not reports_reset(job)
        if keeps and job.stateless:
            token.extend(job.partial_exchange, begins=job.begins)
            self._end(job, "FAILED", INTERRUPTED_ONLY)
        if not keeps or (job.stateless and not token.transcript):
            self._end(job, "FAILED", INTERRUPTED)
            token.drop()
        token.reset = False

    # Gateways' calls

    def enqueue(self, job: Job, create: bool, reply: list[Any]) -> bool:
        status: str = reply[0].decode()
        wanted = self._admission(job, create)
        assert status == wanted, (status, wanted)
        if status == "existing" and job.once:
            assert reply[1].decode() == self._keys[job.once.name].answer
        if status in ("client", "full"):
            assert 1 <= reply[1] <= 60
        if status != "accepted" or job.answer in self.jobs:
            # What is refused may have made room in the mailbox, and loses its work.
            return status in ("client", "full", "missing") or (job.answer in self.works and self._is_over(job.answer))
        self.jobs[job.answer] = job
        token = self.tokens.setdefault(job.token, Token(job.token))
        token.mailbox.append(job)
        token.client = job.client
        self.ring.enter(token)
        if job.once:
            self._keys[job.once.name] = job
        return True

    def _is_over(self, answer: str) -> bool:
        """Whether the job has ended, or was never accepted."""
        return answer not in self.jobs or self.jobs[answer].ended

    def _admission(self, job: Job, create: bool) -> str:
        if job.answer in self.jobs:
            return "accepted"
        if job.once and job.once.name in self._keys:
            before = self._keys[job.once.name].once
            return "existing" if before == job.once else "reused"
        token = self.tokens.get(job.token)
        if token.ending if token else not create:
            return "unknown"
        if len(self._queued()) >= self._limits.queue_limit:
            self._sweep()
        left = self._limits.queue_limit - len(self._queued())
        own = len([other for other in self.jobs.values() if other.client == job.client and not other.ended])
        if job.client and own >= min(self._limits.client_limit, max(1, job.weight, job.weight * left)):
            return "client"
        if token and len(token.mailbox) >= self._limits.mailbox_limit:
            token.mailbox = token.waiting
        if token and len(token.mailbox) >= self._limits.mailbox_limit:
            return "full"
        if left <= 0:
            return "full"
        return "accepted" if self.inside or job.answer in self.works else "missing"

    def expire(self, answer: str, reply: int) -> bool:
        job = self.jobs.get(answer)
        waits = job is not None and job.state == "QUEUED"
        assert reply == int(waits)
        if job and waits:
            self._end(job, "FAILED", _EXPIRED)
        return waits

    def stop(self, answer: str, reply: bytes | None) -> bool:
        job = self.jobs.get(answer)
        if job is None:
            assert reply is None
            return False
        assert reply == (job.state if job.ended else "STOPPED").encode()
        if job.ended:
            return False
        token = self.tokens[job.token]
        keeps = job.stateless
        if not job.marks:
            keeps = token.session is not None and token.stateless and not token.reset
        self._end(job, "STOPPED", Final(job.text, reset=not keeps, stopped=True))
        if token.running is job and token.owner:
            self._stops[token.owner].add(answer)
        return True

    def abandon(self, answer: str, reply: bytes | None) -> bool:
        """Nobody can ask for it again, nor follows it: it ends unless its upstream is at work and would remember it."""
        job = self.jobs.get(answer)
        out = job is not None and job.state not in ("QUEUED", "CLAIMED")
        if job is not None and not job.ended and (job.once or (out and not job.stateless)):
            assert reply is None
            return False
        return self.stop(answer, reply)

    def end_session(self, name: str, reply: object) -> bool:
        token = self.tokens.get(name)
        if token is None:
            return False
        for job in token.mailbox:
            self._end(job, "FAILED", _CLOSED)
        token.mailbox = []
        if token.running:
            token.ending = True
        else:
            self._forget(token)
        return True

    # Workers' calls

    def take(self, worker: str, number: int, seen: int, free: int, running: dict[str, float], reply: list[Any]) -> bool:
        reply_number, again_ms, *granted = reply
        stored, turns = self._took.get(worker, (0, []))
        if worker not in self._alive:
            assert reply == [seen, 200]
        elif stored > seen:
            assert (reply_number, again_ms) == (stored, 0), (
                "what wasn't heard of comes once more, and a late call takes nothing"
            )
            self._check_turns(worker, turns, granted)
        else:
            turns, waits = self._choose_all(worker, free, running)
            assert reply_number == number
            assert 0 < again_ms <= 100 if waits else again_ms == -1
            self._took[worker] = number, turns
            self._check_turns(worker, turns, granted)
            return True
        return False

    def _choose_all(
        self, worker: str, free: int, running: dict[str, float]
    ) -> tuple[list[tuple[Token, Job, int]], bool]:
        """Take turns into all free places; return them, and whether a token waits that is left to another worker."""
        turns, waits, counts = list[tuple[Token, Job, int]](), False, defaultdict(float, running)
        while free > 0:
            turn = self.ring.choose(worker, free, counts, partial(self._claim, worker))
            if isinstance(turn, bool):
                waits = turn
                break
            token, job, client = turn
            token.owner, token.fence = worker, token.fence + 1
            turns.append((token, job, token.fence))
            free -= 1
            counts[client] += 1 / job.weight
        self.ring.set_free(worker, free)
        return turns, waits

    def _check_turns(self, worker: str, turns: list[tuple[Token, Job, int]], granted: list[bytes]) -> None:
        """A reply has the turns that are still the worker's, as they are."""
        held = [
            (token, job)
            for token, job, fence in turns
            if (token.owner, token.fence, token.running) == (worker, fence, job)
        ]
        found = [json.loads(turn) for turn in granted[::2]]
        for turn in found:
            del turn["waited"]
        assert found == [
            {
                "token": token.name,
                "fence": token.fence,
                "job": job.answer,
                "client": job.client,
                "weight": job.weight,
                "session": token.session,
                "sent": token.sent,
                "reset": token.reset,
            }
            for token, job in held
        ]

    def reassert(self, lease: Lease, answer: str, sent: int, seq: int, reply: int) -> bool:
        token, job = self._held(lease), self.jobs.get(answer)
        if token is None or (job and job.ended):
            assert reply == -1
            return False
        assert reply == (len(job.events) if job else 0)
        assert token.running is job
        if job is None or not sent:
            return False
        assert len(job.events) >= seq
        job.state = "SENT" if job.state == "CLAIMED" else job.state
        job.marks, token.sent = max(job.marks, 1), sent
        return True

    def disclaim(self, lease: Lease, reply: None) -> bool:
        assert reply is None
        token = self._held(lease)
        if token is None:
            return False
        job = token.running
        unsent = job is not None and (job.state == "CLAIMED" or not job.marks)
        if job and not unsent:
            self._end(job, "FAILED", STATE_LOST, spent=True)
            token.drop()
            token.reset = True
            job.taken_over = True
        self._disown(token)
        if job and job.state == "CLAIMED":
            self._put_back(token, job)
        if not self._forget_ending(token):
            self.ring.enter(token, ahead=unsent)
        return True

    def mark_sent(
        self,
        lease: Lease,
        answer: str,
        attempt: int,
        sent: int,
        fresh: bool,
        stateless: StatelessSession | None,
        reply: bytes,
    ) -> bool:
        job, token = self.jobs[answer], self._held(lease)
        op = ("mark", lease.fence, answer, attempt)
        if token is None:
            assert reply == b"stale"
        elif job.ended:
            assert reply == b"ended"
        elif token.op == op:
            assert reply == b"sent", "a repeat gets the same reply"
        elif job.state != "CLAIMED":
            assert reply == b"stale"
        else:
            assert reply == b"sent"
            job.state, job.marks, token.op, token.sent = "SENT", job.marks + 1, op, sent
            job.stateless = token.stateless = stateless is not None
            if stateless is not None:
                job.begins = stateless.begins
                token.session, token.reset = stateless.session.decode(), False
            elif fresh and token.session is not None:
                token.session, token.reset = None, True
            return True
        return False

    def refused(self, lease: Lease, answer: str, attempt: int, reply: bytes, *, unsent: bool = False) -> bool:
        job, token = self.jobs[answer], self._held(lease)
        if token is None:
            assert reply == b"stale"
        elif job.ended:
            assert reply == b"ended"
        elif job.state == "STREAMING" or token.op != ("mark", lease.fence, answer, attempt):
            assert reply == b"stale"
        else:
            assert reply == b"claimed"
            if job.state != "CLAIMED":
                job.state, job.stateless, job.marks = "CLAIMED", False, job.marks - unsent
            return True
        return False

    def append(self, lease: Lease, answer: str, seq: int, event: Event, replies: list[int]) -> bool:
        job, (reply,) = self.jobs[answer], replies
        if not self._held(lease):
            assert reply == -1
        elif job.ended:
            assert reply == -2
        else:
            assert reply == 0
            if seq == len(job.events) + 1:
                job.events.append(event)
                job.state = "STREAMING"
                return True
            assert event == job.events[seq - 1]
        return False

    def finish(
        self,
        lease: Lease,
        answer: str,
        state: State,
        event: Event,
        saved: bytes | None,
        free: int,
        keeps: bool,
        sent: int | None,
        exchange: Exchange,
        begins: bool,
        rest: Event | None,
        reply: bytes,
    ) -> bool:
        job, token = self.jobs[answer], self._held(lease)
        op = ("finish", lease.fence, answer)
        known = self.tokens.get(lease.token)
        if known and known.op == op:
            assert reply == known.reply, "a repeat gets the same reply"
            return False
        if token is None or token.running is not job:
            assert reply == b"stale"
            return False
        session = saved.decode() if saved else None
        if job.state == "STOPPED" and job.marks:
            session, exchange = None if reports_reset(job) else session, job.partial_exchange
        reported = (
            job.state == "STOPPED" if job.ended else isinstance(event, Final) or bool(getattr(event, "reset", True))
        )
        if rest is not None and not job.ended:
            job.events.append(rest)
        self._end(job, state, event)
        self._stops[lease.worker].discard(answer)
        token.running, token.reset, token.session = None, token.reset and not reported and session is None, session
        if session is None:
            token.drop()
        else:
            token.sent = token.sent if sent is None else sent
            token.extend(exchange, begins=begins)
        token.op, token.reply = op, reply
        self.ring.set_free(lease.worker, free)
        if not keeps or token.ending:
            self._disown(token)
        if not self._forget_ending(token):
            self.ring.enter(token)
        assert reply == (b"more" if self.ring.order else b"idle")
        return True

    def release(self, lease: Lease, reply: bytes) -> bool:
        token = self._held(lease)
        if token is None:
            known = self.tokens.get(lease.token)
            again = known is not None and known.op == ("release", lease)
            # With both words its caller learns that the token is no longer its own.
            assert reply in ((b"stale", b"released") if again else (b"stale",))
            return False
        job = token.running
        if job and job.state != "CLAIMED":
            assert reply == b"busy"
            return False
        assert reply == b"released"
        token.op = ("release", lease)
        self._disown(token)
        if job:
            self._put_back(token, job)
            self.ring.enter(token, ahead=True)
        return True

    def reap(self, worker: str, dead: str, reply: int) -> bool:
        if dead in self._alive or not self._judge(worker):
            assert reply == -1
            return False
        assert reply == 0
        owned = [token for token in self.tokens.values() if token.owner == dead]
        for token in sorted(owned, key=self._rank):
            self._take_over(token)
            self.ring.enter(token, ahead=True)
        self._stops.pop(dead, None)
        self._took.pop(dead, None)
        self.ring.set_free(dead, 0)
        return True

    def _rank(self, token: Token) -> tuple[int, int]:
        """Return the place that a token got, since the reaper takes them in any order."""
        now = self.ring.now
        client = now["token"].get(token.name, {}).get("turn")
        line = now["again"].get(client, [])
        return (now["ring"][""].index(client), line.index(token.name)) if token.name in line else (-1, -1)

    def ask_upstream(self, answer: str, attempt: object) -> None:
        """Send a question. No other of its token is out, except those that the reaper ended."""
        for other in map(self.jobs.__getitem__, self.upstream.answering()):
            assert other.token != self.jobs[answer].token or other.taken_over, ("two at a time", answer, other.answer)
        self.upstream.ask(answer, attempt)

    # What follows from a call

    def _held(self, lease: Lease) -> Token | None:
        """Return the lease's token, None if the lease is stale."""
        token = self.tokens.get(lease.token)
        return token if token and (token.owner, token.fence) == (lease.worker, lease.fence) else None

    def _claim(self, worker: str, token: Token) -> Job | None:
        """Take the token's next job, which runs from now on."""
        while token.mailbox:
            job = token.mailbox.pop(0)
            if job.overdue and self._judge(worker):
                self._end(job, "FAILED", _EXPIRED)
            if not job.ended:
                token.running, job.state = job, "CLAIMED"
                return job
        self._forget_ending(token)
        return None

    def _disown(self, token: Token) -> None:
        """Take a token from its worker."""
        token.running, token.owner, token.fence = None, None, token.fence + 1

    def _forget(self, token: Token) -> None:
        """Delete a token."""
        self.ring.leave_line(token)
        del self.tokens[token.name]

    def _forget_ending(self, token: Token) -> bool:
        """Delete a token that was to end, unless it has work once more; return whether it is deleted."""
        if token.ending and not token.mailbox:
            self._forget(token)
            return True
        return False

    def _put_back(self, token: Token, job: Job) -> None:
        job.state = "QUEUED"
        token.mailbox.insert(0, job)

    def _end(self, job: Job, state: State, event: Event, *, spent: bool = False) -> None:
        """Add the job's terminal event, unless it has one. `spent`: the question may have been answered."""
        if job.ended:
            return
        job.events.append(event)
        before, job.state = job.state, state
        unspent = before in ("QUEUED", "CLAIMED") and not spent
        if job.once and unspent and self._keys.get(job.once.name) is job:
            del self._keys[job.once.name]

    def _queued(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.state == "QUEUED"]

    # What Redis must hold

    def check(self, seen: Seen) -> None:
        """Redis holds what it must, and nothing else."""
        self._check_answers(seen)
        self._check_works(seen)
        self._check_tokens(seen)
        self._check_counts(seen)
        self._check_bytes(seen)
        self.ring.check(seen)
        assert {worker: int(took["number"]) for worker, took in seen["took"].items()} == {
            worker: number for worker, (number, _) in self._took.items()
        }
        self._queue = seen["queued"].get("", [])

    def _check_answers(self, seen: Seen) -> None:
        assert set(seen["job"]) == set(self.jobs)
        for answer, job in self.jobs.items():
            log = seen["log"].get(answer, [])
            assert [id_ for id_, _ in log] == [f"{seq}-0" for seq in range(1, len(log) + 1)]
            events = [_timeless(decode_event(fields["e"].encode())) for _, fields in log]
            terminal = [isinstance(event, TERMINAL) for event in events]
            assert terminal.count(True) == int(job.ended), (answer, events)
            assert not any(terminal[:-1]), (answer, events)
            assert events == job.events, (answer, events, job.events)
            check_blocks(job)
            state, seq = seen["job"][answer]["state"], int(seen["job"][answer]["seq"])
            assert state == job.state
            # While an answer runs its log says how far it is, and its job whether it has begun.
            assert seq == len(events) if job.ended else min(seq, 1) == min(len(events), 1), (answer, seq, events)

    def _check_works(self, seen: Seen) -> None:
        """Work is there until its job ends. Some has no job yet, or is of one that is asked again."""
        self.works = set(seen["work"])
        inside = {answer for answer, fields in seen["job"].items() if "short_work" in fields}
        assert self.works | inside >= {answer for answer, job in self.jobs.items() if not job.ended}
        assert not any(self.jobs[answer].ended for answer in inside)

    def _check_tokens(self, seen: Seen) -> None:
        assert set(seen["token"]) == set(self.tokens)
        assert set(seen["mailbox"]) <= set(self.tokens)
        for name, token in self.tokens.items():
            found = seen["token"][name]
            running = token.running.answer if token.running else None
            assert (found.get("owner"), found.get("running")) == (token.owner, running)
            assert int(found["fence"]) == token.fence
            assert (found.get("session"), "ending" in found) == (token.session, token.ending)
            transcript = [
                msgspec.json.decode(turn, type=tuple[HistoryMessage, ...]) for turn in seen["transcript"].get(name, ())
            ]
            assert transcript == token.transcript
            assert seen["mailbox"].get(name, []) == [job.answer for job in token.mailbox]

    def _check_counts(self, seen: Seen) -> None:
        assert set(seen["queued"].get("", ())) == {job.answer for job in self._queued()}
        clients, owned = defaultdict(set), defaultdict(set)
        for job in self.jobs.values():
            if job.client and not job.ended:
                clients[job.client].add(job.answer)
        for token in self.tokens.values():
            if token.owner:
                owned[token.owner].add(token.name)
        assert {client: set(jobs) for client, jobs in seen["client"].items()} == clients
        assert seen["owned"] == owned
        assert set(seen["worker"]) == self._alive
        assert seen["stops"] == {worker: stopped for worker, stopped in self._stops.items() if stopped}
        assert {name: found.split()[0] for name, found in seen["idem"].items()} == {
            name: job.answer for name, job in self._keys.items()
        }

    def _check_bytes(self, seen: Seen) -> None:
        """What is kept counts, nothing else does, and the sums are those of what counts."""
        sizes = {item: size.split(" ", 1) for item, size in seen["sizes"].get("", {}).items()}
        transcripts = {f"t:{token.name}" for token in self.tokens.values() if token.transcript}
        others = {f"k:{token.name}": token.client for token in self.tokens.values()}
        others |= {f"i:{name}": job.client for name, job in self._keys.items()}
        assert sizes.keys() == self.jobs.keys() | transcripts | others.keys()
        assert set(seen["kept"].get("", ())) == self.jobs.keys() | others.keys()
        assert set(seen["kept_transcripts"].get("", ())) == transcripts
        sums: dict[str, int] = defaultdict(int)
        for item, (size, owner) in sizes.items():
            client = others[item] if item in others else self.jobs[item].client if item in self.jobs else ""
            assert owner == ("transcripts" if item in transcripts else f":{client}")
            sums[owner] += int(size)
            sums["all"] += int(size)
        assert {owner: int(size) for owner, size in seen["bytes"].get("", {}).items()} == sums

    def check_rest(self, seen: Seen) -> None:
        """Everything has ended, and everybody has left."""
        assert all(job.ended for job in self.jobs.values())
        assert not seen["work"].keys() & self.jobs.keys()
        expected = {"token", "transcript", "job", "log", "idem", "rate", "run", "work", "looks"}
        expected |= {"kept", "kept_transcripts", "sizes", "bytes"}
        unexpected = {kind: found for kind, found in seen.items() if found and kind not in expected}
        assert not unexpected, unexpected
        assert all("running" not in found and "owner" not in found for found in seen["token"].values())


def check_blocks(job: Job) -> None:
    """The events of a job continue its blocks, and a call that may not be whole is in no end."""
    blocks: list[Block] = []
    for event in job.events:
        apply_to_blocks(blocks, event)
    if job.state == "STOPPED":
        assert not blocks or blocks[-1].kind != "tool_call", (job.answer, blocks)


def reports_reset(job: Job) -> bool:
    """Return whether the job's end reports a reset of the conversation."""
    return bool(getattr(job.events[-1], "reset", True))


def _timeless(event: Event) -> Event:
    """Return the event without what is measured."""
    return msgspec.structs.replace(event, retry_after=None) if isinstance(event, Failed) else event
