"""A gateway's settings, from the environment."""

from pathlib import Path

from pydantic import Field, field_validator

from gateway.auth.addresses import parse_networks
from wire.settings import SharedSettings


class GatewaySettings(SharedSettings):
    """The settings. Times are in seconds, sizes in bytes."""

    gateway_host: str = Field(default="127.0.0.1", min_length=1)
    gateway_port: int = Field(default=5000, ge=0, le=65535)
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
    conversation_limit: int = Field(default=100_000, ge=1)
    sources_in_text: bool = False
    max_body: int = Field(default=1024 * 1024, ge=1)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: str | None) -> str | None:
        parse_networks(value or "")
        return value
