"""How a process uses memory, and shares its time among threads; set once, at its start."""

import ctypes
import gc
import sys
from contextlib import suppress

# mallopt(3): options of glibc's allocator.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# In bytes.
_LARGE = 256 * 1024
_ARENAS = 2
# In seconds.
_SWITCH = 0.001


def set_up() -> None:
    """Keep what was imported out of garbage collection, and give the memory of large bodies back to the system.

    Let the event loop run soon beside threads: it waits for one of them each time that something arrives.
    Other C libraries than glibc have no such options, and need none or go without.
    """
    gc.freeze()  # Each full collection of it paused all streams for 0.1 s.
    # By default a thread that parses something large keeps the interpreter to itself for five times as long.
    sys.setswitchinterval(_SWITCH)
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        # Left alone, glibc raises both thresholds after the first large body, and then returns next to nothing.
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _LARGE)
        # Bodies are parsed in threads, and each arena would have holes of its own.
        mallopt(_ARENA_MAX, _ARENAS)
