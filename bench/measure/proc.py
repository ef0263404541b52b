"""A process's CPU time and memory, from Linux's /proc."""

import os
from pathlib import Path

from bench.errors import BenchError

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used, user and system together; exact to 10 ms. BenchError when it is gone."""
    return parse_ticks(_read(_PROC / str(pid) / "stat")) / _TICKS


def pss_kb(pid: int) -> int:
    """Return a process's memory (PSS: shared pages count in parts) in kB. BenchError when it is gone."""
    return parse_pss(_read(_PROC / str(pid) / "smaps_rollup"))


def machine_seconds() -> float:
    """Return the CPU time that all processes of the machine have used since its start."""
    return parse_busy_ticks(_read(_PROC / "stat")) / _TICKS


def parse_ticks(stat: str) -> int:
    """Return utime + stime of a /proc/PID/stat. The name in it may contain spaces and brackets."""
    fields = stat[stat.rindex(")") + 1 :].split()
    return int(fields[11]) + int(fields[12])


def parse_pss(smaps_rollup: str) -> int:
    """Return the Pss line of a /proc/PID/smaps_rollup, in kB."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise BenchError("the kernel reports no PSS")


def parse_busy_ticks(stat: str) -> int:
    """Return what /proc/stat counts as work: all but idle, iowait and the guests' time (counted as user already)."""
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.split(None, 9)[1:9])
    return user + nice + system + irq + softirq + steal


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BenchError(f"{path} can't be read: {error.strerror}") from error
