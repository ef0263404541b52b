"""What both APIs share: settings, time, ledger, accounts, and the questions that are to fail only once."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from emulator.accounts import EmulatorAccounts, RequestKind
from emulator.clock import EmulatorClock
from emulator.directives import Directives
from emulator.ledger import UpstreamLedger
from emulator.settings import EmulatorSettings

REMEMBERED = 100_000


@dataclass
class EmulatorState:
    """All that outlives a request. Each API adds what it must forget at a reset to `reset_hooks`."""

    settings: EmulatorSettings
    clock: EmulatorClock = field(default_factory=EmulatorClock)
    ledger: UpstreamLedger = field(default_factory=UpstreamLedger)
    accounts: EmulatorAccounts = field(default_factory=EmulatorAccounts)
    reset_hooks: list[Callable[[], None]] = field(default_factory=list)
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def read_directives(self, text: str, names: Collection[str]) -> Directives:
        """Return the directives of a question; one with `!once` that was seen before has no outcome."""
        directives = Directives.parse(text, names)
        if "once" in directives.options and not self._is_new(text):
            return Directives(None, directives.options, None, directives.topic)
        return directives

    def take_script(self, account: str, kind: RequestKind, names: Collection[str]) -> Directives | None:
        """Return the directives scripted for this request, which uses them up once."""
        script = self.accounts.take_outcome(account, kind)
        return None if script is None else Directives.parse_script(script, names)

    def read_image_prompt(self, account: str, prompt: str, names: Collection[str]) -> Directives:
        """Return what is scripted for the account's pictures, else the directives of the prompt."""
        directives = self.read_directives(prompt, names)
        script = self.take_script(account, "image", names)
        return directives if script is None else script

    def public_url(self, host: str) -> str:
        """Return the base of picture addresses. host: as the client addressed the emulator."""
        return self.settings.public_url or f"http://{host}"

    def reset(self) -> None:
        """Forget accounts, scripts, entries and all that the APIs know, and return to the real time."""
        self.accounts.clear()
        self.ledger.clear()
        self.clock.reset()
        self._seen.clear()
        for forget in self.reset_hooks:
            forget()

    def _is_new(self, text: str) -> bool:
        if text in self._seen:
            return False
        self._seen[text] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True
