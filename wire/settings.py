"""The settings that gateways and workers have in common, from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings

from telemetry.logs import LogFormat

# LEASE_TTL's default, in seconds.
LEASE_TTL = 15.0
# The limit of a server's answer where ANSWER_TIMEOUT isn't set, in seconds: models that think may take that long.
SERVER_ANSWER_TIMEOUT = 900.0


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
    log_format: LogFormat = "console"

    @property
    def server_answer_timeout(self) -> float:
        """The limit of an answer from a server: ANSWER_TIMEOUT if it is set, else longer than Bing's."""
        return self.answer_timeout if "answer_timeout" in self.model_fields_set else SERVER_ANSWER_TIMEOUT

    @property
    def longest_answer_timeout(self) -> float:
        """The limit of an answer from any account without one of its own."""
        return max(self.answer_timeout, self.server_answer_timeout)
