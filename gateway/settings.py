"""A gateway's settings, from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gateway.auth.addresses import networks


class GatewaySettings(BaseSettings):
    """Times are in seconds, sizes in bytes."""

    gateway_host: str = Field(default="127.0.0.1", min_length=1)
    gateway_port: int = Field(default=5000, ge=0, le=65535)
    redis_url: str = "redis://127.0.0.1:6379/0"
    queue_limit: int = Field(default=1000, ge=1)
    mailbox_limit: int = Field(default=32, ge=1)
    client_limit: int = Field(default=500, ge=1)
    trusted_proxies: str | None = None
    api_keys_file: Path | None = None
    admin_keys_file: Path | None = None
    secret_file: Path | None = None
    idempotency_ttl: int = Field(default=24 * 3600, ge=1)
    follow_grace: float = Field(default=30.0, gt=0)
    queue_timeout: float = Field(default=60.0, gt=0)
    answer_timeout: float = Field(default=300.0, gt=0)
    answer_ttl: int = Field(default=600, ge=1)
    session_ttl: int = Field(default=6 * 3600, ge=1)
    conversation_limit: int = Field(default=100_000, ge=1)
    sources_in_text: bool = False
    drain_timeout: float = Field(default=30.0, ge=0)
    max_body: int = Field(default=1024 * 1024, ge=1)
    otel_exporter_otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    log_format: Literal["console", "json"] = "console"

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        networks(value or "")
        return value
