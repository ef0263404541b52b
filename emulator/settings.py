"""The emulator's settings."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmulatorSettings(BaseSettings):
    """Settings from the environment, each with the prefix EMULATOR_."""

    model_config = SettingsConfigDict(env_prefix="EMULATOR_")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8190, ge=0, le=65535, description="the port to listen on; 0 is any free one")
    pace: float = Field(
        default=0.3,
        ge=0,
        le=100,
        description=(
            "factor of all pauses: 1 is like the real service (3 s to the first text, 35 ms between deltas), 0 is none"
        ),
    )
    daily_quota: int = Field(
        default=200,
        ge=0,
        description="how many questions an account may ask in 24 hours; 0 is no limit, and the default with compose",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+$",
        description="base of picture addresses, such as `http://localhost:8190`; none: that of each request",
    )
    key_needed: bool = Field(default=False, description="whether its `/v1` refuses requests without a key")
