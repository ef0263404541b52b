"""Turns and bytes are shared by what hands out turns in a ring; where that isn't there, only accounts are tested."""

from tests.support.processes import ROOT

collect_ignore = [] if (ROOT / "wire/scripts/take.lua").exists() else ["test_admission.py", "test_turns.py"]
# One of large questions needs places for the others too.
collect_ignore += ["test_bytes.py"] if collect_ignore else []
