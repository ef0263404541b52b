"""Memory of a process, and the time of its threads."""

import subprocess
import sys

# Takes and frees large bodies, with something small behind each that stays, and prints by how many MB it has grown.
_PROGRAM = """
from telemetry import process

def taken():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

process.set_up()
before, stays = taken(), []
for _ in range(3):
    bodies = []
    for _ in range(20):
        bodies.append(b"x" * 4 * 2**20)
        stays.append(b"y" * 10_000)
    bodies.clear()
print((taken() - before) // 2**20)
"""


def test_memory_of_large_bodies_goes_back_to_the_system() -> None:
    grown = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, timeout=60).stdout
    assert int(grown) < 10


def test_the_loop_waits_for_threads_for_a_fifth_of_what_it_otherwise_would() -> None:
    program = """
import sys
from telemetry import process

before = sys.getswitchinterval()
process.set_up()
print(before / sys.getswitchinterval())
"""
    ratio = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60).stdout
    assert round(float(ratio), 3) == 5


def test_what_was_imported_is_not_collected_again_and_again() -> None:
    program = "import gc; from telemetry import process; process.set_up(); print(gc.get_freeze_count())"
    frozen = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60).stdout
    assert int(frozen) > 1000
