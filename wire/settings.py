"""The settings that gateways and workers have in common, from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings

from telemetry.logs import LogFormat

# LEASE_TTL's default, in seconds.
LEASE_TTL = 15.0
# The limit of a server's answer where ANSWER_TIMEOUT isn't set, in seconds: models that think may take that long.
SERVER_ANSWER_TIMEOUT = 900.0


class SharedSettings(BaseSettings):
    """Settings of both processes. Times are in seconds."""

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description=(
            "the address of Redis: `redis://`, `rediss://` or `unix://`; `redis+sentinel://HOST,HOST,HOST/NAME` by its "
            "sentinels, `redis+cluster://HOST,HOST,HOST` by nodes of a cluster, with `rediss` instead of `redis` for "
            "TLS. `USER:PASSWORD@` before the hosts is Redis's own; the sentinels' are `?sentinel_username=` and "
            "`&sentinel_password=`. `make run` needs none"
        ),
    )
    session_ttl: int = Field(
        default=6 * 3600,
        ge=1,
        description=(
            "how long a token is kept after its last turn (Bing's own 6 h); set it longer than a question may "
            "wait and its answer take (`QUEUE_TIMEOUT`, `ANSWER_TIMEOUT`)"
        ),
    )
    answer_ttl: int = Field(default=600, ge=1, description="how long an answer is kept after its end")
    response_ttl: int = Field(
        default=6 * 3600,
        ge=1,
        description=(
            "how long a stored response of `/v1/responses` can be read and continued after it was last used. All "
            "together take up to a quarter of `STORE_BYTES`; the oldest ones make room"
        ),
    )
    answer_timeout: float = Field(
        default=300.0,
        gt=0,
        description=(
            f"how long one answer may take in all; at model servers {SERVER_ANSWER_TIMEOUT:g} s unless it is set. "
            "Workers prefer an account's own `answer_timeout`; gateways don't know that one, so where it is longer set "
            "this to it"
        ),
    )
    store_bytes: int | None = Field(
        default=None,
        ge=16 * 1024 * 1024,
        description=(
            "how many bytes of questions, answers and transcripts Redis keeps in all; then 503. None: half of its "
            "`maxmemory`, or 256 MiB where it has none"
        ),
    )
    drain_timeout: float = Field(
        default=30.0, ge=0, description="how long running answers get after SIGTERM; 0 ends them at once"
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="where traces are sent, by OTLP over HTTP; none: nowhere",
    )
    log_format: LogFormat = Field(default="console", description="`console` or `json`, on stderr")

    @property
    def server_answer_timeout(self) -> float:
        """The limit of an answer from a server: ANSWER_TIMEOUT if it is set, else longer than Bing's."""
        return self.answer_timeout if "answer_timeout" in self.model_fields_set else SERVER_ANSWER_TIMEOUT

    @property
    def longest_answer_timeout(self) -> float:
        """The limit of an answer from any account without one of its own."""
        return max(self.answer_timeout, self.server_answer_timeout)
