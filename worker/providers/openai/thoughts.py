"""A model's reasoning in its text, between `<think>` tags."""

import re

_OPEN, _CLOSE = "<think>", "</think>"
# A block that begins a line within the answer, and one that hasn't ended.
_BLOCK = re.compile(r"(?<=\n)<think>.*?</think>(?:[ \t]*\r?\n)*", re.DOTALL)
_OPEN_BLOCK = re.compile(r"(?<=\n)<think>")
# An end without a beginning, which some templates put into the prompt, at the start of a line.
_LONE_CLOSE = re.compile(r"(?:\A|\n)[ \t]*</think>")
# What separates the reasoning from the answer.
_GAP = re.compile(r"(?:[ \t]*\r?\n)+|[ \t]+")


def remove_thoughts(text: str, *, whole: bool) -> str:
    """Return the text without reasoning; unless it is `whole`, also without an end that may turn out to be some.

    Reasoning comes before the answer, from `<think>`, or without a beginning, up to `</think>`; within the answer
    only a whole block that begins a line is some.
    """
    rest = text
    while (start := rest.lstrip()).startswith(_OPEN):
        _, closed, rest = start.partition(_CLOSE)
        if not closed or not (whole or rest.strip()):
            return ""
        rest = _remove_gap(rest)
    if not whole and _OPEN.startswith(start):
        return ""
    lone = _LONE_CLOSE.search(text) if rest is text else None
    if lone is not None and _OPEN not in text[: lone.start()]:
        rest = _remove_gap(text[lone.end() :])
    rest = _BLOCK.sub("", rest)
    return rest if whole else rest[: _stable_end(rest)]


def _remove_gap(text: str) -> str:
    gap = _GAP.match(text)
    return text[gap.end() :] if gap else text


def _stable_end(text: str) -> int:
    """Return the end of the part in which no block is open."""
    if (block := _OPEN_BLOCK.search(text)) is not None:
        return block.start()
    line = text.rfind("\n") + 1
    return line if line and text[line:] and _OPEN.startswith(text[line:]) else len(text)
