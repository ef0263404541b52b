"""Start of a process: its settings from the environment, or one sentence and an exit."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

Settings = TypeVar("Settings", bound=BaseSettings)


def load_settings(kind: type[Settings]) -> Settings:
    """Return the settings from the environment. SystemExit, with one sentence about each wrong value."""
    try:
        return kind()
    except ValidationError as error:
        wrong = (
            ": ".join([*(str(part).upper() for part in problem["loc"]), problem["msg"].removeprefix("Value error, ")])
            for problem in error.errors()
        )
        raise SystemExit(f"wrong setting: {'; '.join(wrong)}") from None
