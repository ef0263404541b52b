"""Reading /proc."""

import mmap
import os
import time

import pytest

from bench.errors import BenchError
from bench.measure import proc


def test_a_name_with_spaces_and_brackets_does_not_shift_the_fields() -> None:
    assert proc.parse_ticks("42 (a) (b c) R 1 2 3 4 5 6 7 8 9 10 700 11 0 0 20 0") == 711


def test_pss_is_its_own_line() -> None:
    assert proc.parse_pss("1-2 ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss:  123 kB\nPss_Dirty: 7 kB\n") == 123
    with pytest.raises(BenchError):
        proc.parse_pss("Rss: 900 kB\n")


def test_idle_time_and_guests_do_not_count_as_work() -> None:
    assert proc.parse_busy_ticks("cpu  1 2 4 800 1600 8 16 32 64 128\ncpu0 1 2 4 8 16 32 64 128 256 512\n") == 63


def test_work_shows_in_this_process_and_in_the_machine() -> None:
    own, machine = proc.cpu_seconds(os.getpid()), proc.machine_seconds()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert proc.cpu_seconds(os.getpid()) - own > 0.05
    assert proc.machine_seconds() > machine


def test_memory_that_is_written_to_shows() -> None:
    before = proc.pss_kb(os.getpid())
    size = 8 * 1024 * 1024
    # Pages of its own: what the process has had before, and freed, would not show.
    with mmap.mmap(-1, size) as held:
        held.write(bytes(size))
        assert proc.pss_kb(os.getpid()) - before > 6000


def test_a_process_that_is_gone_is_one_sentence() -> None:
    with pytest.raises(BenchError, match="can't be read"):
        proc.cpu_seconds(2**22 + 1)
