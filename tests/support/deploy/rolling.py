"""Gateways behind one name, that are ended and started again one after another."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.support.deploy.upstreams import Names
from tests.support.processes import answers, process, wait_until

_ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


class RollingGateways:
    """The gateways; `url` is nginx's, which finds those that run by the name `gateway`."""

    def __init__(self, url: str, emulator: str, names: Names, redis_url: str, port: int, log: Path) -> None:
        self.url = url
        self.emulator = emulator
        self._names = names
        self._redis_url = redis_url
        self._port = port
        self._log = log
        self._running: dict[str, ExitStack] = {}

    def start(self) -> None:
        """Start all."""
        for address in _ADDRESSES:
            self._start(address)
        for address in _ADDRESSES:
            self._wait(address)

    def restart_one_after_another(self) -> None:
        """End each one as a deployment does, and start it again before the next one's turn."""
        for address in _ADDRESSES:
            # Docker's name server has the name of a container until it has stopped.
            self._running.pop(address).close()
            self._list()
            self._start(address)
            self._wait(address)

    def end(self) -> None:
        """End those that run."""
        for stack in self._running.values():
            stack.close()

    def _start(self, address: str) -> None:
        stack = self._running[address] = ExitStack()
        settings = {"GATEWAY_HOST": address, "GATEWAY_PORT": str(self._port), "TRUSTED_PROXIES": "127.0.0.0/8"}
        stack.enter_context(process("gateway", self._log, REDIS_URL=self._redis_url, **settings))
        # Docker lists a container as soon as it runs, before anybody listens in it.
        self._list()

    def _wait(self, address: str) -> None:
        ready = f"http://{address}:{self._port}/readyz"
        wait_until(partial(answers, ready), f"{ready} answers, see {self._log}")

    def _list(self) -> None:
        self._names.addresses["gateway"] = list(self._running)
