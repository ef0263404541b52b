"""Answers over this API that run to a proper end, as steps."""

from collections.abc import Iterator

from emulator.answers import SampleAnswer
from emulator.json_text import dump
from emulator.openai.turn import CompletionTurn, SendChunk, SendDone, SendRaw
from emulator.scenarios import TOO_BIG, Scenario, give, interrupt, split_at_marks
from emulator.steps import Step


def citations(turn: CompletionTurn) -> Iterator[Step]:
    """Send the addresses of the sources beside the choices of each event."""
    answer = turn.compose()
    turn.extra_fields = {"citations": [page.url for page in answer.sources]}
    yield from give(turn, SampleAnswer(answer.text, (), ()))


def unsourced(turn: CompletionTurn) -> Iterator[Step]:
    """Give an answer without sources."""
    yield from give(turn, SampleAnswer(turn.compose().text, (), ()))


def cite_cut(turn: CompletionTurn) -> Iterator[Step]:
    """Send Bing's text with its citation marks, each in three pieces."""
    yield from give(turn, turn.compose(), split_at_marks(turn.sample().text))


def reasoning(turn: CompletionTurn) -> Iterator[Step]:
    """Send thoughts before the text, in a field of their own."""
    answer = turn.compose()
    yield from turn.begin(answer)
    for thought in ("The user asks something. ", "I know nothing about it. ", "I say so."):
        yield turn.tick
        yield turn.delta(reasoning_content=thought)
    yield from turn.write(turn.pieces(answer))
    yield from turn.end(answer)


def no_role(turn: CompletionTurn) -> Iterator[Step]:
    """Send no event for the role; each event has it beside its text."""
    answer = turn.compose()
    for piece in turn.pieces(answer):
        yield turn.tick
        yield turn.delta(role="assistant", content=piece)
    yield from turn.end(answer)


def no_choices(turn: CompletionTurn) -> Iterator[Step]:
    """Send events without choices: at the start, where Azure judges the prompt, and in the middle."""
    yield SendChunk(turn.event([]) | {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]})
    yield from _events_without_choices(turn)


@interrupt
def _events_without_choices(turn: CompletionTurn) -> Iterator[Step]:
    bare = turn.event([])
    yield SendChunk(bare)
    yield SendChunk({name: value for name, value in bare.items() if name != "choices"})


def empty(turn: CompletionTurn) -> Iterator[Step]:
    """Send no text at all, and end well."""
    yield from turn.begin(turn.compose())
    yield turn.reason("stop")
    yield SendDone()


def refusal(turn: CompletionTurn) -> Iterator[Step]:
    """Decline: send text only in the field `refusal`."""
    yield from turn.begin(turn.compose())
    for piece in ("I'm sorry, ", "I can't ", "help with that."):
        yield turn.tick
        yield turn.delta(refusal=piece)
    yield turn.reason("stop")
    yield SendDone()


def cut_off(reason: str) -> Scenario[CompletionTurn]:
    """Return a scenario whose answer ends in its middle, for this reason."""

    def play(turn: CompletionTurn) -> Iterator[Step]:
        answer, first, _ = turn.halves()
        yield from turn.begin(answer)
        yield from turn.write(first)
        yield from turn.end(answer, reason)

    return play


@interrupt
def empty_events(_turn: CompletionTurn) -> Iterator[Step]:
    """Send events without data, and fields that no client needs."""
    yield SendRaw("event: message\nid: 7\nretry: 1000\n\n\n\n" * 3, spoils=False)


@interrupt
def big(turn: CompletionTurn) -> Iterator[Step]:
    """Send a line of more than 4 MiB."""
    yield turn.delta(content="x" * TOO_BIG)


def after_final(turn: CompletionTurn) -> Iterator[Step]:
    """Send an event behind [DONE]."""
    answer = turn.compose()
    yield from turn.begin(answer)
    yield from turn.write(turn.pieces(answer))
    yield turn.reason("stop")
    late = turn.event([{"index": 0, "delta": {"content": "Too late."}, "finish_reason": None}])
    yield SendDone(after=f"data: {dump(late)}\n\n")
