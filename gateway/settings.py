"""A gateway's settings, from the environment."""

from pathlib import Path

from pydantic import Field, field_validator

from gateway.auth.addresses import parse_networks
from gateway.auth.origins import parse_hosts, parse_origins
from wire.settings import SharedSettings


class GatewaySettings(SharedSettings):
    """The settings. Times are in seconds, sizes in bytes."""

    gateway_host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen on")
    gateway_port: int = Field(default=5000, ge=0, le=65535, description="the port to listen on")
    queue_limit: int = Field(default=1000, ge=1, description="how many questions may wait for a worker in all")
    mailbox_limit: int = Field(default=32, ge=1, description="how many questions of one token may wait")
    client_limit: int = Field(default=100, ge=1, description="how many questions of one client may wait or run")
    connection_limit: int = Field(
        default=1000,
        ge=1,
        description=(
            "how many connections one address, or IPv6 network of 64 bits, may have open at a gateway; then 503. "
            "`TRUSTED_PROXIES` may have any number"
        ),
    )
    client_daily: int | None = Field(
        default=None,
        ge=1,
        description="how many questions one client may ask in a day of UTC; then 429. None: as many as it likes",
    )
    client_bytes: int | None = Field(
        default=None,
        ge=1024 * 1024,
        description=(
            "how many bytes of one client's questions and answers are kept; then 429. None: half of `STORE_BYTES`, or "
            "more by its key's weight. In any case a client leaves as much room as it takes, divided by its weight"
        ),
    )
    trusted_proxies: str | None = Field(
        default=None,
        description=(
            "addresses and networks, separated by commas, whose `X-Forwarded-For`, `X-Forwarded-Proto` and "
            "`X-Attempt-ID` are believed"
        ),
    )
    cors_origins: str | None = Field(
        default=None,
        description=(
            "origins, separated by commas, whose pages may read responses, and ask where there are no API keys: such "
            "as `https://chat.example.org`, `null` (pages of a file), or `*` for all. None: `*` with `API_KEYS_FILE`, "
            "else only pages of this service itself"
        ),
    )
    allowed_hosts: str | None = Field(
        default=None,
        description=(
            "names, separated by commas, by which clients may reach this service, or `*` for any; addresses, names "
            "without a dot, and names below `localhost`, `local`, `internal` and `home.arpa` are always served. None: "
            "any with `API_KEYS_FILE`, else no others"
        ),
    )
    api_keys_file: Path | None = Field(default=None, description="the file of API keys; without it nobody needs one")
    admin_keys_file: Path | None = Field(
        default=None, description="the file of the console's keys; without it there is no console"
    )
    secret_file: Path | None = Field(
        default=None,
        description=(
            "a file of at least 32 random bytes, the same for all gateways, from which tokens under an "
            "Idempotency-Key are derived; without it Redis keeps one"
        ),
    )
    idempotency_ttl: int = Field(default=24 * 3600, ge=1, description="how long an Idempotency-Key returns its answer")
    follow_grace: float = Field(
        default=30.0,
        gt=0,
        description="how long a question may wait with no client connected for its answer; then it is dropped, unspent",
    )
    abandon_grace: float = Field(
        default=3.0,
        ge=0,
        description=(
            "how long an answer of `/v1` continues at a model server after its last reader has hung up; then it is "
            "stopped. Those with an Idempotency-Key, `store: true` or `background`, and Bing's, continue to their end"
        ),
    )
    queue_timeout: float = Field(
        default=60.0,
        gt=0,
        description=(
            "how long a question may wait; then 503, unspent. Where no worker has been alive for 10 s, nothing "
            "waits: 503 at once"
        ),
    )
    conversation_limit: int = Field(
        default=100_000,
        ge=1,
        description=(
            "how many conversations of `/v1` are known by their messages, a quarter of them one client's; "
            "each takes some 300 bytes of Redis's memory"
        ),
    )
    sources_in_text: bool = Field(
        default=False, description="`true`: under `/v1` an answer's text ends with a list of its sources"
    )
    max_body: int = Field(
        default=8 * 1024 * 1024, ge=1, description="the largest body of a request under `/v1`, in bytes"
    )
    max_message: int = Field(
        default=1024 * 1024,
        ge=1,
        description="the largest WebSocket message, and body of a request to the drop-in endpoints, in bytes",
    )

    question_limit: int = Field(
        default=32 * 1024,
        ge=1,
        description=(
            "the longest question, or keyword of a picture, that the drop-in endpoints and `bing-chat.v2` take, in "
            "bytes of UTF-8; then 110. Under `/v1` `MAX_BODY` holds"
        ),
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: str | None) -> str | None:
        parse_networks(value or "")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str | None) -> str | None:
        parse_origins(value or "")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: str | None) -> str | None:
        parse_hosts(value or "")
        return value
