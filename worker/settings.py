"""A worker's settings, from the environment."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from wire.settings import LEASE_TTL, SharedSettings

# The names of the built-in chat providers.
EDGEGPT = "edgegpt"
OPENAI = "openai"


class WorkerSettings(SharedSettings):
    """Times are in seconds."""

    cookies_dir: Path = Path("cookies")
    provider: str = EDGEGPT
    openai_base_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    openai_model: str | None = None
    openai_api_key: SecretStr | None = None
    openai_image_model: str | None = None
    openai_history: int = Field(default=100, ge=0)
    openai_system_balanced: str | None = None
    openai_system_creative: str | None = None
    openai_system_precise: str | None = None
    openai_temperature_balanced: float | None = Field(default=None, ge=0, le=2)
    openai_temperature_creative: float | None = Field(default=1.0, ge=0, le=2)
    openai_temperature_precise: float | None = Field(default=0.2, ge=0, le=2)
    bing_create_url: str = "https://www.bing.com/turing/conversation/create"
    bing_chat_url: str = "wss://sydney.bing.com/sydney/ChatHub"
    bing_image_url: str = "https://www.bing.com"
    worker_slots: int = Field(default=64, ge=1, le=10_000)
    account_turns: int = Field(default=8, ge=0)
    account_tries: int = Field(default=3, ge=1)
    alert_webhook: HttpUrl | None = None
    alert_share: float = Field(default=0.5, ge=0, le=1)
    lease_ttl: float = Field(default=LEASE_TTL, ge=1.0)
    picture_limit: int = Field(default=128 * 1024 * 1024, ge=0)
    connect_timeout: float = Field(default=15.0, gt=0)
    first_text_timeout: float = Field(default=60.0, gt=0)
    idle_timeout: float = Field(default=60.0, gt=0)
    idle_release: float = Field(default=60.0, gt=0)
    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)

    @field_validator(
        "openai_temperature_balanced", "openai_temperature_creative", "openai_temperature_precise", mode="before"
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _server_is_whole(self) -> Self:
        if self.openai_base_url is not None and not (self.openai_model or "").strip():
            raise ValueError("OPENAI_BASE_URL needs OPENAI_MODEL beside it")
        return self

    @property
    def providers(self) -> tuple[str, ...]:
        """The names in PROVIDER, in order of preference."""
        return tuple(name.strip() for name in self.provider.split(","))


def environment(name: str) -> str | None:
    """Return the value of a variable that accounts.toml names; None if it isn't set."""
    return os.environ.get(name)
