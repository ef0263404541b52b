"""The steps of a question to its first text, by when its scripts arrive at Redis."""

import hashlib
from pathlib import Path

import pytest

from bench.measure.first_text import STEPS, FirstText, measure_first_text, script_of, summarize
from bench.systems.path import start_path
from bench.systems.processes import Processes
from wire import scripts

pytestmark = pytest.mark.anyio


def test_each_step_lasts_until_the_next_script_arrives() -> None:
    arrivals = {name: at / 1000 for name, at in zip(STEPS, (5, 6, 8, 11, 15), strict=True)}
    slower = {name: 2 * at for name, at in arrivals.items()}
    found = summarize([(arrivals, 0.013), (slower, 0.033), (arrivals, 0.013)])
    assert found == FirstText({"enqueue": 1000, "take": 2000, "reserve": 3000, "mark_sent": 4000}, 3000)


def test_a_script_is_known_by_its_hash() -> None:
    sha = hashlib.sha1(scripts.source("take", in_memory=False).encode()).hexdigest()
    assert script_of(f"EVALSHA {sha} 1 key") == "take"
    assert script_of("EVALSHA 0123 1 key") is None
    assert script_of(f"EVAL {sha}") is None


async def test_a_path_at_rest_has_all_steps(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        path = await start_path(processes, tmp_path, "path", 60, 1)
        found = await measure_first_text(path, 3)
    assert list(found.steps_us) == list(STEPS)[:-1]
    assert all(took > 0 for took in [*found.steps_us.values(), found.rest_us])
