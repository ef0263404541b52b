"""Answers that run to a proper end, as steps. Each takes the turn and yields what such a server would do."""

from collections.abc import Iterable, Iterator

from emulator import answers, frames
from emulator.answers import Answer
from emulator.openai.turn import Chunk, Final, Raw, Step, Turn
from emulator.pace import Pause
from emulator.plays import LEARNING, LEARNING_CHINESE, MARK

HUGE = 4 * 1024 * 1024 + 1024


def opening(turn: Turn) -> Iterator[Step]:
    """The event with only the role, then the wait for the first text."""
    if "stamp" not in turn.option:
        yield Pause(0.09)
    yield turn.delta(role="assistant", content="", refusal=None)
    if "first" in turn.option:
        yield Pause(turn.option["first"], exact=True)
    elif "stamp" not in turn.option:
        yield Pause(0.6)


def written(turn: Turn, pieces: Iterable[str]) -> Iterator[Step]:
    """Send these pieces, one at each beat."""
    for piece in pieces:
        yield turn.tick
        yield turn.piece(piece)


def ending(turn: Turn, answer: Answer, reason: str = "stop") -> Iterator[Step]:
    """The sources, the reason why the answer ends, and the end."""
    if answer.sources:
        yield turn.delta(annotations=turn.notes(answer))
    yield turn.finish(reason)
    yield Final()


def told(turn: Turn, answer: Answer, pieces: list[str] | None = None, reason: str = "stop") -> Iterator[Step]:
    """An ordinary turn with this answer, in these pieces."""
    yield from opening(turn)
    yield from written(turn, turn.pieces(answer) if pieces is None else pieces)
    yield from ending(turn, answer, reason)


def halves(turn: Turn) -> tuple[Answer, list[str], list[str]]:
    """The ordinary answer, and its pieces before and after the middle."""
    answer = turn.compose()
    pieces = turn.pieces(answer)
    cut = turn.cut(len(pieces))
    return answer, pieces[:cut], pieces[cut:]


def interrupted(turn: Turn, *between: Step) -> Iterator[Step]:
    """An ordinary turn with these steps in the middle of its text."""
    answer, first, second = halves(turn)
    yield from opening(turn)
    yield from written(turn, first)
    yield from between
    yield from written(turn, second)
    yield from ending(turn, answer)


def plain(turn: Turn) -> Iterator[Step]:
    yield from told(turn, turn.compose())


def citations(turn: Turn) -> Iterator[Step]:
    """The addresses of the sources stand beside the choices of each event."""
    answer = turn.compose()
    turn.more = {"citations": [source.url for source in answer.sources]}
    yield from told(turn, Answer(answer.text, (), ()))


def unsourced(turn: Turn) -> Iterator[Step]:
    yield from told(turn, Answer(turn.compose().text, (), ()))


def learning(turn: Turn) -> Iterator[Step]:
    text = LEARNING_CHINESE if answers.is_chinese(turn.compose().text) else LEARNING
    yield from told(turn, Answer(text, (), ()))


def surrogate(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    yield from told(turn, answer, [*turn.pieces(answer), " \ud83d", "\ude00 ", "done."])


def surrogate_end(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    yield from told(turn, answer, [*turn.pieces(answer), " \ud83d"])


def cite_cut(turn: Turn) -> Iterator[Step]:
    """Bing's words with their citation marks, each in three pieces."""
    marked = answers.compose(turn.topic, turn.number, turn.previous, turn.tone)
    yield from told(turn, turn.compose(), [piece for piece in MARK.split(marked.text) if piece])


def open_mark(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    yield from told(turn, answer, [*turn.pieces(answer), " The text ends ", "[^1"])


def reasoning(turn: Turn) -> Iterator[Step]:
    """Thoughts come before the text, in a field of their own."""
    answer = turn.compose()
    yield from opening(turn)
    for thought in ("The user asks something. ", "I know nothing about it. ", "I say so."):
        yield turn.tick
        yield turn.delta(reasoning_content=thought)
    yield from written(turn, turn.pieces(answer))
    yield from ending(turn, answer)


def no_role(turn: Turn) -> Iterator[Step]:
    """No event of its own for the role; each event has it beside its text."""
    answer = turn.compose()
    for piece in turn.pieces(answer):
        yield turn.tick
        yield turn.delta(role="assistant", content=piece)
    yield from ending(turn, answer)


def no_choices(turn: Turn) -> Iterator[Step]:
    """Events without choices: as Azure judges the prompt, and in the middle."""
    yield Chunk(turn.event([]) | {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]})
    bare = turn.event([])
    del bare["choices"]
    yield from interrupted(turn, Chunk(turn.event([])), Chunk(bare))


def empty(turn: Turn) -> Iterator[Step]:
    """No text at all, and all is well."""
    yield from opening(turn)
    yield turn.finish("stop")
    yield Final()


def refusal(turn: Turn) -> Iterator[Step]:
    """The model declines: text only in the field `refusal`."""
    yield from opening(turn)
    for piece in ("I'm sorry, ", "I can't ", "help with that."):
        yield turn.tick
        yield turn.delta(refusal=piece)
    yield turn.finish("stop")
    yield Final()


def cut_off(turn: Turn, reason: str) -> Iterator[Step]:
    """The answer ends in its middle, for a reason that is given."""
    answer, first, _ = halves(turn)
    yield from told(turn, answer, first, reason)


def length(turn: Turn) -> Iterator[Step]:
    yield from cut_off(turn, "length")


def filtered(turn: Turn) -> Iterator[Step]:
    yield from cut_off(turn, "content_filter")


def unknown_value(turn: Turn) -> Iterator[Step]:
    yield from cut_off(turn, "something_new")


def pause_mid(turn: Turn) -> Iterator[Step]:
    seconds = 5.0 if turn.words.number is None else turn.words.number
    yield from interrupted(turn, Pause(seconds, exact=True))


def empty_events(turn: Turn) -> Iterator[Step]:
    """Events without data, and fields that no client needs."""
    noise = "event: message\nid: 7\nretry: 1000\n\n\n\n" * 3
    yield from interrupted(turn, Raw(noise, spoils=False))


def big(turn: Turn) -> Iterator[Step]:
    yield from interrupted(turn, turn.delta(content="x" * HUGE))


def after_final(turn: Turn) -> Iterator[Step]:
    """An event behind [DONE]."""
    answer = turn.compose()
    yield from opening(turn)
    yield from written(turn, turn.pieces(answer))
    yield turn.finish("stop")
    late = turn.event([{"index": 0, "delta": {"content": "Too late."}, "finish_reason": None}])
    yield Final(after=f"data: {frames.dump(late)}\n\n")
