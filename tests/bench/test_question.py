"""The question and its pieces are the emulator's."""

import re

import pytest

from bench.clients.verdict import STAMP
from bench.question import Question, parse, pieces
from emulator.directives import Directives

pytestmark = pytest.mark.anyio

PIECE = re.compile(r"delta \d{6}  t=\d{19} ")


@pytest.mark.parametrize("question", [Question(60, 20.0), Question(1, 0.5)])
def test_the_emulator_reads_in_a_question_what_we_do(question: Question) -> None:
    directives = Directives.parse(str(question), ())
    assert directives.options == {"deltas": question.deltas, "rate": question.rate, "stamp": 1.0}
    assert parse(str(question)) == question


def test_a_question_that_asks_for_nothing_gets_one_piece() -> None:
    assert parse("hello").deltas == 1


async def test_each_piece_is_numbered_and_stamped_as_it_is_made() -> None:
    answer = [piece async for piece in pieces(Question(4, 1000.0))]
    assert all(PIECE.fullmatch(piece) for piece in answer)
    stamps = [int(stamp) for stamp in STAMP.findall("".join(answer).encode())]
    assert len(stamps) == 4
    assert stamps == sorted(stamps)
