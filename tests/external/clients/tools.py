"""The two tools that every program is given."""

from collections.abc import Mapping
from typing import Any


class Toolbox:
    """The tools `weather` and `time`, which note how they are called. results: what each returns."""

    def __init__(self, results: Mapping[str, str]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._results = results

    def weather(self, city: str) -> str:
        """Return the weather of a city.

        Args:
            city: the city's name

        """
        return self.run("weather", {"city": city})

    def time(self, zone: str) -> str:
        """Return the time of day in a zone.

        Args:
            zone: the zone's name

        """
        return self.run("time", {"zone": zone})

    def run(self, name: str, arguments: dict[str, Any]) -> str:
        """Run a tool by its name, for programs that leave it to their users."""
        self.calls.append((name, arguments))
        return self._results[name]


def declarations() -> list[dict[str, Any]]:
    """Return the tools as OpenAI's API has them, for programs that take them so."""
    return [
        _declaration("weather", "Return the weather of a city.", "city"),
        _declaration("time", "Return the time of day in a zone.", "zone"),
    ]


def _declaration(name: str, description: str, parameter: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [parameter],
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}
