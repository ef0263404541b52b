"""What a broken server does to the fragments of an answer."""

from collections.abc import Callable
from itertools import chain, zip_longest

from emulator.blocks import BlockFragment

FragmentChange = Callable[[list[BlockFragment]], list[BlockFragment]]


def keep(fragments: list[BlockFragment]) -> list[BlockFragment]:
    """Change nothing."""
    return fragments


def interleave(fragments: list[BlockFragment]) -> list[BlockFragment]:
    """Let the fragments of all calls take turns, behind everything else."""
    others, calls = _split(fragments)
    by_call = [[one for one in calls if one.number == number] for number in sorted({one.number for one in calls})]
    return [*others, *(one for one in chain.from_iterable(zip_longest(*by_call)) if one is not None)]


def spoil_arguments(fragments: list[BlockFragment]) -> list[BlockFragment]:
    """Leave each call's last character out, which closes its object."""
    return [
        BlockFragment.create(one[:-1], one.block, one.number, one.first, one.last)
        if one.last and one.block.kind == "tool_call"
        else one
        for one in fragments
    ]


def drop_arguments(fragments: list[BlockFragment]) -> list[BlockFragment]:
    """Send only the first fragment of each call, without arguments."""
    others, calls = _split(fragments)
    firsts = (one for one in calls if one.first)
    return [*others, *(BlockFragment.create("", one.block, one.number, True, True) for one in firsts)]


def cut_arguments(fragments: list[BlockFragment]) -> list[BlockFragment]:
    """End inside the arguments of the last call."""
    _, calls = _split(fragments)
    last = [one for one in calls if one.number == calls[-1].number] if calls else []
    return fragments[: len(fragments) - (len(last) // 2)] if last else fragments


def drop_calls(fragments: list[BlockFragment]) -> list[BlockFragment]:
    """Send no call."""
    return _split(fragments)[0]


def _split(fragments: list[BlockFragment]) -> tuple[list[BlockFragment], list[BlockFragment]]:
    calls = [one for one in fragments if one.block.kind == "tool_call"]
    return [one for one in fragments if one.block.kind != "tool_call"], calls
