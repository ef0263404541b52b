"""What a style means at a server: its own model and, for a question in text, a system prompt and a temperature."""

from wire.messages import Style
from wire.model_table import STYLES
from wire.prompt import Prompt
from worker.accounts.account import ServerAccount, Temperature
from worker.settings import WorkerSettings


def model_of(server: ServerAccount, prompt: Prompt | None) -> str:
    """Return the model that a question is for at a server: a prompt's, but the server's own for a style."""
    return prompt.model if prompt is not None and prompt.model and prompt.model not in STYLES else server.model


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
