"""The promises that hold whatever breaks, checked on what clients saw and what the upstream's ledger holds. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.support.faults.history import Exchange

Turn = Mapping[str, Any]

# Outcomes by which the upstream declines a question; before any text, they allow a further attempt.
REFUSALS = {"Throttled", "CaptchaChallenge", "UnauthorizedRequest", "Forbidden", "InvalidSession"}
REFUSALS |= {"NotFound", "ContextLength"}
# Those of servers alone: Bing may answer all the same.
SERVER_REFUSALS = REFUSALS | {"Unavailable", "ServerError", "InternalError", "InvalidRequest", "no completion"}
# A conversation may change after a turn that ended so: it was interrupted, or its outcome is unknown.
BROKEN = 500
BUSY = 503
NEVER = float("inf")
BESIDE = "beside"


@dataclass(frozen=True)
class Violation:
    """A broken promise: `kind` is a word to count by, `text` says what happened.

    `beside` is the one that is allowed: a turn that others ended (it was interrupted, or stopped) may still run
    upstream, at a frozen or cut-off worker, beside the next one, which then has a fresh conversation.
    """

    kind: str
    text: str


def violations(exchanges: Sequence[Exchange], ledger: Mapping[str, Sequence[Turn]]) -> list[Violation]:
    """Everything that is wrong. `ledger` is the upstream's, oldest first; only repeats under a key share a question."""
    turns, turns_by_question = ledger["turns"], _by(ledger["turns"], "question")
    pictures = _by(ledger["images"], "prompt")
    broken: list[Violation] = []
    for exchange in exchanges:
        broken += _check_end(exchange)
        broken += _sequence(exchange)
        broken += _text(exchange)
        broken += _stop(exchange, turns_by_question[exchange.question])
    for question in {exchange.question for exchange in exchanges}:
        broken += _spent(question, turns_by_question[question])
        broken += _drawn(question, pictures[question])
    broken += _repeats(exchanges)
    broken += _overlaps(turns)
    for chain in chains(exchanges):
        broken += _order(chain, turns_by_question)
        broken += _conversations(chain, turns_by_question)
    return broken


def in_logs(logs: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[Violation]:
    """What is wrong with the answers' logs, once all have ended: (id, type) of every event, by the log's name.

    An end that says that Redis lost events (`state.lost`) may come after a gap.
    """
    for name, events in logs.items():
        known = [id_ for id_, kind in events if kind != "state.lost"]
        if known != [f"{seq}-0" for seq in range(1, len(known) + 1)]:
            yield Violation("gapped", f"{name} has the ids {[id_ for id_, _ in events]}")
        terminals = [kind in ("final", "failed", "state.lost") for _, kind in events]
        if terminals.count(True) != 1 or not terminals[-1]:
            yield Violation("doubled" if any(terminals) else "lost", f"{name} ends with {events[-2:]}")


def forbidden(broken: Iterable[Violation]) -> list[Violation]:
    """Those that are not allowed."""
    return [violation for violation in broken if violation.kind != BESIDE]


def counted(broken: Iterable[Violation]) -> Counter[str]:
    """How many violations of each kind."""
    return Counter(violation.kind for violation in broken)


def chains(exchanges: Iterable[Exchange]) -> list[list[Exchange]]:
    """The questions of each conversation as its client saw it, in the order asked."""
    by_chain: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in sorted(exchanges, key=lambda one: one.began):
        name = exchange.chain or exchange.given_token
        if name:
            by_chain[name].append(exchange)
    return list(by_chain.values())


def _by(entries: Sequence[Turn], name: str) -> Mapping[str, Sequence[Turn]]:
    """The ledger's entries by one of their fields."""
    groups: dict[str, list[Turn]] = defaultdict(list)
    for entry in entries:
        groups[entry[name]].append(entry)
    return groups


def _check_end(exchange: Exchange) -> Iterator[Violation]:
    """Each accepted question gets exactly one terminal frame, and nothing after it."""
    count = len(exchange.terminals)
    if exchange.hung:
        yield Violation("hung", f"{exchange.question!r} got no end in time")
    elif count == 0 and exchange.refused is None and not exchange.cut:
        yield Violation("lost", f"{exchange.question!r} ended without a terminal frame")
    if count > 1:
        yield Violation("doubled", f"{exchange.question!r} got {count} terminal frames")
    if count == 1 and not exchange.is_terminal(exchange.frames[-1]):
        yield Violation("doubled", f"{exchange.question!r} got frames behind the terminal one")


def _sequence(exchange: Exchange) -> Iterator[Violation]:
    """The ids count 1, 2, 3 … over all connections, and name one answer."""
    seqs = [frame.seq for frame in exchange.frames if frame.seq is not None]
    if seqs != list(range(1, len(seqs) + 1)):
        yield Violation("gapped", f"{exchange.question!r} has the ids {seqs}")
    if len({frame.answer for frame in exchange.frames if frame.answer}) > 1:
        yield Violation("gapped", f"{exchange.question!r} has ids of two answers")


def _text(exchange: Exchange) -> Iterator[Violation]:
    """The joined deltas are the whole answer, or end with it when the upstream took text back."""
    end = exchange.end
    if not exchange.streaming or end is None or end.code != 200:
        return
    joined, whole = "".join(exchange.deltas), end.data["answer"]
    replaced = "!replace" in exchange.question or "!shrink" in exchange.question
    if not joined.endswith(whole) or (joined != whole and not replaced):
        yield Violation("torn", f"{exchange.question!r}: {joined[:80]!r}… became {whole[:80]!r}…")


def _spent(question: str, turns: Sequence[Turn]) -> Iterator[Violation]:
    """A question reaches the upstream once; again only after an explicit refusal before any text."""
    for turn in turns[:-1]:
        if not _is_declined(turn):
            yield Violation("doubled", f"{question!r} was asked again after {turn['outcome']!r}")


def _drawn(keyword: str, entries: Sequence[Turn]) -> Iterator[Violation]:
    """A picture is asked for once."""
    if len(entries) > 1:
        yield Violation("doubled", f"the picture {keyword!r} was asked for {len(entries)} times")


def _stop(exchange: Exchange, turns: Sequence[Turn]) -> Iterator[Violation]:
    """A stopped answer is a success that says reset, unless it was a server's, which keeps nothing.

    A gateway that drains may send its client away instead.
    """
    end = exchange.end
    if not exchange.stopped or end is None or end.code == BUSY:
        return
    keeps = any(turn.get("api") != "openai" for turn in turns)
    if end.code != 200 or (keeps and not end.data.get("reset")):
        yield Violation("unstopped", f"{exchange.question!r} was stopped and ended with {end.body}")


def _repeats(exchanges: Sequence[Exchange]) -> Iterator[Violation]:
    """Repeats under one key that are answered get the same answer."""
    answers: dict[str, set[str]] = defaultdict(set)
    for exchange in exchanges:
        if exchange.key and exchange.end and exchange.answered:
            answers[exchange.key].add(exchange.end.data["answer"])
    for key, answers_ in answers.items():
        if len(answers_) > 1:
            yield Violation("torn", f"the key {key!r} stands for {len(answers_)} different answers")


def _overlaps(turns: Sequence[Turn]) -> Iterator[Violation]:
    """The turns of one upstream conversation never overlap, and none of their numbers comes twice."""
    for conversation, its in _by(turns, "conversation").items():
        for earlier, later in pairwise(sorted(its, key=lambda turn: float(turn["started"]))):
            if later["started"] < _ended(earlier):
                yield Violation("overlapped", f"{later['question']!r} began during {earlier['question']!r}")
            if int(later["invocation"]) <= int(earlier["invocation"]):
                yield Violation("moved", f"invocation {later['invocation']} of {conversation} came twice")


def _ended(turn: Turn) -> float:
    return NEVER if turn["ended"] is None else float(turn["ended"])


def _order(chain: Sequence[Exchange], turns_by_question: Mapping[str, Sequence[Turn]]) -> Iterator[Violation]:
    """A token's turns start in the order asked, one at a time.

    Questions that were under way together over HTTP have no known order.
    """
    for earlier, later in pairwise(chain):
        ordered = earlier.kind == "socket" or (earlier.ended is not None and earlier.ended <= later.began)
        first, second = turns_by_question.get(earlier.question), turns_by_question.get(later.question)
        if not ordered or not first or not second or earlier.question == later.question:
            continue
        if second[0]["started"] < first[0]["started"]:
            yield Violation("disordered", f"{later.question!r} was asked before {earlier.question!r}")
        elif second[0]["started"] < _ended(first[-1]):
            fresh = second[0]["conversation"] != first[-1]["conversation"]
            kind = BESIDE if fresh and _resets(earlier) else "overlapped"
            yield Violation(kind, f"{later.question!r} began during {earlier.question!r}")


def _is_declined(turn: Turn) -> bool:
    """Whether the upstream has declined the question, before any text."""
    allowed = SERVER_REFUSALS if turn.get("api") == "openai" else REFUSALS
    return turn["outcome"] in allowed and not turn["length"]


def _resets(exchange: Exchange) -> bool:
    """Whether the client knows, or has to expect, that the conversation begins afresh."""
    end = exchange.end
    return end is None or end.code == BROKEN or bool(end.data.get("reset"))


def _conversations(chain: Sequence[Exchange], turns_by_question: Mapping[str, Sequence[Turn]]) -> Iterator[Violation]:
    """A token's conversation changes only where its client learns of it, or to one that has the whole history.

    A question that was declined is in none.
    """
    last: str | None = None
    may_change = True
    questions: list[str] = []
    for exchange in chain:
        turns = [turn for turn in turns_by_question.get(exchange.question, ()) if not _is_declined(turn)]
        # Who was refused a question that was asked all the same has not seen its end.
        reset = _resets(exchange) or (exchange.refused is not None and bool(turns))
        if not turns:
            may_change = may_change or reset
            continue
        conversation = turns[-1]["conversation"]
        retold = bool(questions) and all(question in turns[-1]["context"] for question in questions)
        if last is not None and conversation != last and not reset and not retold:
            if not may_change:
                yield Violation("moved", f"{exchange.question!r} was asked in another conversation, unsaid")
            # What came before an interrupted turn is not in the conversation that began after it.
            questions = []
        questions = [] if reset else [*questions, exchange.question]
        last, may_change = conversation, reset
