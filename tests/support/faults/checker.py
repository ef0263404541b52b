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
    turns, asked = ledger["turns"], _by(ledger["turns"], "question")
    pictures = _by(ledger["images"], "prompt")
    found: list[Violation] = []
    for exchange in exchanges:
        found += _ends(exchange)
        found += _sequence(exchange)
        found += _text(exchange)
        found += _stop(exchange)
    for question in {exchange.question for exchange in exchanges}:
        found += _spent(question, asked[question])
        found += _drawn(question, pictures[question])
    found += _repeats(exchanges)
    found += _overlaps(turns)
    for chain in chains(exchanges):
        found += _order(chain, asked)
        found += _conversations(chain, asked)
    return found


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


def forbidden(found: Iterable[Violation]) -> list[Violation]:
    """Those that are not allowed."""
    return [violation for violation in found if violation.kind != BESIDE]


def counted(found: Iterable[Violation]) -> Counter[str]:
    """How many violations of each kind."""
    return Counter(violation.kind for violation in found)


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
    found: dict[str, list[Turn]] = defaultdict(list)
    for entry in entries:
        found[entry[name]].append(entry)
    return found


def _ends(exchange: Exchange) -> Iterator[Violation]:
    """Each accepted question gets exactly one terminal frame, and nothing after it."""
    ends = len(exchange.terminals)
    if exchange.hung:
        yield Violation("hung", f"{exchange.question!r} got no end in time")
    elif ends == 0 and exchange.refused is None and not exchange.cut:
        yield Violation("lost", f"{exchange.question!r} ended without a terminal frame")
    if ends > 1:
        yield Violation("doubled", f"{exchange.question!r} got {ends} terminal frames")
    if ends == 1 and not exchange.is_terminal(exchange.frames[-1]):
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
        if turn["outcome"] not in REFUSALS or turn["length"]:
            yield Violation("doubled", f"{question!r} was asked again after {turn['outcome']!r}")


def _drawn(keyword: str, entries: Sequence[Turn]) -> Iterator[Violation]:
    """A picture is asked for once."""
    if len(entries) > 1:
        yield Violation("doubled", f"the picture {keyword!r} was asked for {len(entries)} times")


def _stop(exchange: Exchange) -> Iterator[Violation]:
    """A stopped answer is a success that says reset. A gateway that drains may send its client away instead."""
    end = exchange.end
    if exchange.stopped and end and end.code != BUSY and not (end.code == 200 and end.data.get("reset")):
        yield Violation("unstopped", f"{exchange.question!r} was stopped and ended with {end.body}")


def _repeats(exchanges: Sequence[Exchange]) -> Iterator[Violation]:
    """Repeats under one key that are answered get the same answer."""
    answers: dict[str, set[str]] = defaultdict(set)
    for exchange in exchanges:
        if exchange.key and exchange.end and exchange.answered:
            answers[exchange.key].add(exchange.end.data["answer"])
    for key, found in answers.items():
        if len(found) > 1:
            yield Violation("torn", f"the key {key!r} stands for {len(found)} different answers")


def _overlaps(turns: Sequence[Turn]) -> Iterator[Violation]:
    """The turns of one upstream conversation never overlap, and none of their numbers comes twice."""
    for conversation, its in _by(turns, "conversation").items():
        for one, other in pairwise(sorted(its, key=lambda turn: float(turn["started"]))):
            if other["started"] < _ended(one):
                yield Violation("overlapped", f"{other['question']!r} began during {one['question']!r}")
            if int(other["invocation"]) <= int(one["invocation"]):
                yield Violation("moved", f"invocation {other['invocation']} of {conversation} came twice")


def _ended(turn: Turn) -> float:
    return NEVER if turn["ended"] is None else float(turn["ended"])


def _order(chain: Sequence[Exchange], asked: Mapping[str, Sequence[Turn]]) -> Iterator[Violation]:
    """A token's turns start in the order asked, one at a time.

    Questions that were under way together over HTTP have no known order.
    """
    for one, other in pairwise(chain):
        ordered = one.kind == "socket" or (one.ended is not None and one.ended <= other.began)
        first, second = asked.get(one.question), asked.get(other.question)
        if not ordered or not first or not second or one.question == other.question:
            continue
        if second[0]["started"] < first[0]["started"]:
            yield Violation("disordered", f"{other.question!r} was asked before {one.question!r}")
        elif second[0]["started"] < _ended(first[-1]):
            fresh = second[0]["conversation"] != first[-1]["conversation"]
            kind = BESIDE if fresh and _resets(one) else "overlapped"
            yield Violation(kind, f"{other.question!r} began during {one.question!r}")


def _resets(exchange: Exchange) -> bool:
    """Whether the client knows, or has to expect, that the conversation begins afresh."""
    end = exchange.end
    return end is None or end.code == BROKEN or bool(end.data.get("reset"))


def _conversations(chain: Sequence[Exchange], asked: Mapping[str, Sequence[Turn]]) -> Iterator[Violation]:
    """A token's conversation changes only where its client learns of it, or to one that has the whole history."""
    last: str | None = None
    told = True
    said: list[str] = []
    for exchange in chain:
        turns = asked.get(exchange.question)
        reset = _resets(exchange)
        if not turns:
            told = told or reset
            continue
        conversation = turns[-1]["conversation"]
        retold = bool(said) and all(question in turns[-1]["context"] for question in said)
        if last is not None and conversation != last and not told and not reset and not retold:
            yield Violation("moved", f"{exchange.question!r} was asked in another conversation, unsaid")
        said = [] if reset else [*said, exchange.question]
        last, told = conversation, reset
