"""The system prompt and the temperature of each style, where a style's question is in text alone."""

from wire.messages import Style
from worker.accounts.account import ServerAccount, Temperature
from worker.settings import WorkerSettings


class StyleSettings:
    """What the settings and the accounts say about styles."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._systems = {
            "balanced": settings.openai_system_balanced,
            "creative": settings.openai_system_creative,
            "precise": settings.openai_system_precise,
        }
        self._temperatures = {
            "balanced": settings.openai_temperature_balanced,
            "creative": settings.openai_temperature_creative,
            "precise": settings.openai_temperature_precise,
        }

    def system(self, style: Style) -> str:
        """Return the system prompt of a style, '' for none."""
        return self._systems[style] or ""

    def temperature(self, server: ServerAccount, style: Style) -> float | None:
        """Return the temperature of a style; None for the server's own."""
        if "sampling" not in server.abilities:
            return None
        temperature: Temperature | None = getattr(server.temperatures, style)
        if temperature is None:
            temperature = self._temperatures[style]
        return temperature if isinstance(temperature, float | int) else None
