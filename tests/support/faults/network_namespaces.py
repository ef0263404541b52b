"""Machines of their own on one computer, as network namespaces, and the cables between them."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.prerequisites import unavailable
from tests.support.processes import socket_table

_NETWORK = 0x40000000  # CLONE_NEWNET
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_CABLE = "cable"


@dataclass(frozen=True)
class Machine:
    """A network namespace with a cable to the one that it was made beside; `peer` is that one's address."""

    name: str
    address: str
    peer: str

    def command(self, *command: str) -> list[str]:
        """The command that runs `command` there."""
        return [_program(), "netns", "exec", self.name, *command]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The sockets that this thread makes in the body are that machine's, for as long as they live."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as namespace:
            _enter(namespace.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def unplug(self) -> None:
        """Pull the cable."""
        _ip("-n", self.name, "link", "set", _CABLE, "down")

    def fall_silent(self) -> None:
        """Send nothing any more, not even an acknowledgement; what others send still arrives."""
        _ip("-n", self.name, "route", "add", "blackhole", self.peer)


@contextmanager
def machines(*names: str) -> Iterator[list[Machine]]:
    """The first machine, and the others, each on a cable of its own to the first."""
    first, *others = (f"{name}-{os.getpid()}" for name in names)
    with ExitStack() as stack:
        try:
            namespaces = [
                _add_namespace(first, stack),
                *(_cabled(first, _add_namespace(name, stack), n) for n, name in enumerate(others, 1)),
            ]
        except subprocess.CalledProcessError as error:
            unavailable(f"network namespaces ({error.stderr.strip()})")
        yield namespaces


def connected_to(peer: str, pid: int) -> list[str]:
    """The inodes of all TCP sockets with this peer on the machine that the process runs on; 0 when it has let go."""
    address = "".join(f"{int(part):02X}" for part in reversed(peer.split(".")))
    return [row[9] for row in socket_table(pid, "tcp") if row[2].startswith(f"{address}:")]


def _add_namespace(name: str, stack: ExitStack) -> Machine:
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "del", name)
    _ip("-n", name, "link", "set", "lo", "up")
    return Machine(name, "127.0.0.1", "")


def _cabled(first: str, other: Machine, number: int) -> Machine:
    ours, theirs = f"10.231.{number}.1", f"10.231.{number}.2"
    plug = f"cable{number}"
    _ip("link", "add", plug, "netns", first, "type", "veth", "peer", "name", _CABLE, "netns", other.name)
    for name, link, address in ((first, plug, ours), (other.name, _CABLE, theirs)):
        _ip("-n", name, "address", "add", f"{address}/24", "dev", link)
        _ip("-n", name, "link", "set", link, "up")
    return Machine(other.name, theirs, ours)


def _ip(*arguments: str) -> None:
    subprocess.run([_program(), *arguments], check=True, capture_output=True, text=True)


def _program() -> str:
    executable = shutil.which("ip", path=_PATH)
    if executable is None:
        unavailable("ip (iproute2)")
    assert executable is not None
    return executable


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _NETWORK):
        raise OSError(ctypes.get_errno(), "can't enter a network namespace")
