import time

from emulator.accounts import ScriptedOutcome
from emulator.directives import Directives
from emulator.ledger import CreateEntry
from emulator.settings import EmulatorSettings
from emulator.state import EmulatorState

NAMES = {"throttled", "blocked", "busy"}


def test_once_applies_to_the_first_arrival_only() -> None:
    state = EmulatorState(EmulatorSettings())
    outcomes = [state.read_directives("cats !throttled !once", NAMES).outcome for _ in "ab"]
    assert outcomes == ["throttled", None]


def test_a_script_takes_the_place_of_an_image_prompts_directives() -> None:
    state = EmulatorState(EmulatorSettings())
    state.accounts.get("a1").scripts["image"] = ScriptedOutcome("busy=7", 1)
    directives = [state.read_image_prompt("a1", "a cat !blocked", NAMES) for _ in "ab"]
    assert directives == [Directives("busy", {}, 7.0, ""), Directives("blocked", {}, None, "a cat")]


def test_the_base_of_picture_addresses_is_the_public_one_if_it_is_set() -> None:
    assert EmulatorState(EmulatorSettings(public_url=None)).public_url("host:1") == "http://host:1"
    assert EmulatorState(EmulatorSettings(public_url="https://p")).public_url("host:1") == "https://p"


def test_a_reset_forgets_everything_and_calls_the_hooks() -> None:
    state = EmulatorState(EmulatorSettings())
    calls: list[str] = []
    state.reset_hooks.append(lambda: calls.append("reset"))
    state.read_directives("cats !throttled !once", NAMES)
    state.accounts.get("a1").captcha = True
    state.ledger.creates.append(CreateEntry(1.0, "a1"))
    state.clock.advance(1e6)
    state.reset()
    assert calls == ["reset"]
    assert not state.accounts.get("a1").captcha
    assert not state.ledger.creates
    assert state.clock.now() < time.time() + 1
    assert state.read_directives("cats !throttled !once", NAMES).outcome == "throttled"
