"""A document from rounds that are written by hand."""

from bench.clients.spread import Spread
from bench.measure.redis_stats import CommandStats
from bench.measure.rounds import AnswerCounts, Round
from bench.options import read_options
from bench.report.document import make_document

ANSWERS = AnswerCounts(10, 10, 0, 0, {})


def make_round(cpu: float) -> Round:
    used, commands = {"gateway": cpu, "worker": 2.0, "client": 9.0}, {"evalsha": CommandStats(1.1, 40.0)}
    return Round(ANSWERS, None, Spread(1, 2), 4.0, 200.0, 1.0, used, {"gateway": 16.0}, 0.5, 0.1, commands, 40.0)


DOCUMENT = make_document(
    read_options(["--rounds", "2"]),
    None,
    {"path sse 300": [make_round(50), make_round(60)], "floor sse 300": [make_round(40), make_round(30)]},
    {},
    {},
    {},
    {},
)
