"""The settings that gateways and workers have in common, from the environment."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

# LEASE_TTL's default, in seconds.
LEASE_TTL = 15.0


class SharedSettings(BaseSettings):
    """Settings of both processes. Times are in seconds.

    A DRAIN_TIMEOUT of 0 ends running answers at once.
    """

    redis_url: str = "redis://127.0.0.1:6379/0"
    session_ttl: int = Field(default=6 * 3600, ge=1)
    answer_ttl: int = Field(default=600, ge=1)
    answer_timeout: float = Field(default=300.0, gt=0)
    drain_timeout: float = Field(default=30.0, ge=0)
    otel_exporter_otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    log_format: Literal["console", "json"] = "console"
