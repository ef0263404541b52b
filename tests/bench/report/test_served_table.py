"""The table of the sides before one model server."""

import msgspec

from bench.measure.rounds import Round
from bench.options import read_options
from bench.report.document import make_document
from bench.report.table import table
from tests.support.bench.documents import make_round


def make_peer_round() -> Round:
    return msgspec.structs.replace(make_round(1.0), cpu_us_per_delta={"gateway": 20.0, "client": 9.0})


def test_a_side_is_the_sum_of_its_own_processes() -> None:
    used = {"gateway": 50.0, "worker": 30.0, "client": 9.0, "upstream": 7.0}
    rounds = [msgspec.structs.replace(make_round(1.0), cpu_us_per_delta=used, kb_per_stream=used)]
    served = {"ours openai 100": rounds, "nginx openai 100": [make_peer_round()]}
    text = table(make_document(read_options([]), None, {}, {}, {}, served, {"nginx": "1.22.1", "smg": "1.13.0"}))
    assert "### Beside other programs and another commit" in text
    assert "| ours openai 100 | 80 | 50 | 30 |  |  |  | 1 | 2 | 80 | 0.1 |" in text
    assert "| nginx openai 100 | 20 |  |  |  |  |  | 1 | 2 |" in text
    assert "nginx 1.22.1, smg 1.13.0." in text
