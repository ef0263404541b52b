"""The emulator's settings."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmulatorSettings(BaseSettings):
    """Settings from the environment, each with the prefix EMULATOR_.

    pace: factor for all pauses; 1 is like the real service, 0 means none.
    daily_quota: questions an account may ask in 24 hours; 0 means no quota.
    public_url: base of picture addresses, without a slash at the end; None takes it from each request.
    key_needed: whether /v1 refuses requests without a key.
    """

    model_config = SettingsConfigDict(env_prefix="EMULATOR_")

    host: str = "127.0.0.1"
    port: int = Field(default=8190, ge=0, le=65535)
    pace: float = Field(default=0.3, ge=0, le=100)
    daily_quota: int = Field(default=200, ge=0)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/]+$")
    key_needed: bool = False
