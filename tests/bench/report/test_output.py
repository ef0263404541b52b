"""The files of a run."""

import json
from pathlib import Path

import msgspec

from bench.clients.spread import Spread
from bench.measure.saturation import SaturationStep
from bench.report.output import RESULT, TABLE, pictures, write
from bench.report.table import table
from tests.support.bench.documents import DOCUMENT


def test_there_is_a_picture_of_each_part() -> None:
    assert list(pictures(DOCUMENT)) == ["compared-cpu.svg", "compared-delay.svg"]


def test_each_saturated_transport_has_its_steps_in_the_picture() -> None:
    step = SaturationStep(300, 6000.0, 1.1, Spread(1, 2), {"gateway": 0.15}, 0.0, "late")
    document = DOCUMENT | {"saturation": msgspec.to_builtins({"sse": [step], "ws": [step, step]})}
    drawn = pictures(document)["saturation.svg"]
    assert (drawn.count("sse, 6,000 deltas/s"), drawn.count("ws, 6,000 deltas/s")) == (1, 2)


def test_a_folder_gets_the_result_the_table_and_the_pictures(tmp_path: Path) -> None:
    write(tmp_path / "new", DOCUMENT)
    assert json.loads((tmp_path / "new" / RESULT).read_text()) == json.loads(json.dumps(DOCUMENT))
    assert (tmp_path / "new" / TABLE).read_text() == table(DOCUMENT)
    assert (tmp_path / "new" / "compared-cpu.svg").read_text() == pictures(DOCUMENT)["compared-cpu.svg"]
