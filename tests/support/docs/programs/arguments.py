"""Strict reading of a command's arguments: what a stand-in doesn't know is an error."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


class UnknownError(Exception):
    """A command of a page that its program doesn't have, or that names something which isn't there."""


@dataclass
class Arguments:
    """The options of a command with their values ("" for those that have none), and its other arguments."""

    options: dict[str, list[str]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)

    def values(self, *names: str) -> list[str]:
        """Return all values of an option, which has several names."""
        return [value for name in names for value in self.options.get(name, ())]


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


def parse(
    arguments: Sequence[str], flags: Collection[str] = (), values: Collection[str] = (), until_first: bool = False
) -> Arguments:
    """Separate options from the rest. Raises UnknownError for options other than `flags` and `values`.

    With `until_first` everything from the first argument on that is no option is the rest.
    """
    parsed, left = Arguments(), list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "--":
            parsed.rest += left
            break
        if not argument.startswith("-") or argument == "-":
            parsed.rest.append(argument)
            if until_first:
                parsed.rest += left
                break
            continue
        name, equals, value = argument.partition("=")
        if name in values:
            if not equals and not left:
                raise UnknownError(f"{name} has no value")
            parsed.options.setdefault(name, []).append(value if equals else left.pop(0))
        elif name in flags and not equals:
            parsed.options.setdefault(name, []).append("")
        elif len(name) > 2 and name[1] != "-" and name[:2] in values:
            parsed.options.setdefault(name[:2], []).append(argument[2:])
        elif len(name) > 2 and name[1] != "-" and all(f"-{letter}" in flags for letter in name[1:]):
            for letter in name[1:]:
                parsed.options.setdefault(f"-{letter}", []).append("")
        else:
            raise UnknownError(f"unknown option {argument}")
    return parsed


def require(true: object, sentence: str) -> None:
    """Raise UnknownError with the sentence unless it is true."""
    if not true:
        raise UnknownError(sentence)
