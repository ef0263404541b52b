import dataclasses

import pytest

from emulator.steps import Close, Pause, Reset, Silence, Step, Tick


@pytest.mark.parametrize("step", [Pause(1.0), Tick(1.0), Close(), Reset(), Silence()])
def test_a_step_is_a_value(step: Step) -> None:
    assert dataclasses.is_dataclass(step)
    assert step == dataclasses.replace(step)
    assert len({step, dataclasses.replace(step)}) == 1


def test_a_pause_and_a_beat_differ() -> None:
    assert len({Pause(1.0), Tick(1.0)}) == 2
