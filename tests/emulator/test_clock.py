import time

from emulator.clock import EmulatorClock


def test_the_clock_moves_forward_and_returns_to_the_real_time() -> None:
    clock = EmulatorClock()
    clock.advance(1_000.0)
    clock.advance(500.0)
    assert 0 <= clock.now() - 1_500.0 - time.time() + 1 < 2
    clock.reset()
    assert abs(clock.now() - time.time()) < 1
