"""A worker's settings, from the environment."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from wire.settings import LEASE_TTL, SharedSettings

_SERVERS_OWN = "none, or an empty value: the server's own"
# The names of the built-in chat providers.
EDGEGPT = "edgegpt"
OPENAI = "openai"
ANTHROPIC = "anthropic"


class WorkerSettings(SharedSettings):
    """Times are in seconds."""

    cookies_dir: Path = Field(
        default=Path("cookies"), description="the folder of cookie exports, and of `accounts.toml`"
    )
    provider: str = Field(
        default=EDGEGPT,
        description=(
            "the provider to ask first: `edgegpt`, `openai`, `anthropic`, or `module:Class` of one's own; several, "
            "separated by commas, in their order"
        ),
    )
    openai_base_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description=(
            "the address of a server that speaks the OpenAI API, up to `/chat/completions`, such as "
            "`http://127.0.0.1:11434/v1`; it is one more account, named `openai`"
        ),
    )
    openai_model: str | None = Field(
        default=None, description="the model of that server; needed with `OPENAI_BASE_URL`"
    )
    openai_models: str = Field(
        default="",
        description=(
            "further models of that server that clients may ask for by name, separated by commas; `all` is every model "
            "that it lists"
        ),
    )
    openai_api_key: SecretStr | None = Field(default=None, description="the key of that server, if it wants one")
    openai_api_key_file: Path | None = Field(
        default=None,
        description="a file with that key, instead of `OPENAI_API_KEY`; it is read when the worker starts",
    )
    openai_image_model: str | None = Field(
        default=None, description="the model for pictures of that server; without one it makes none"
    )
    model_default: str = Field(
        default="",
        description=(
            "the model, alias or `bing-…` name that answers a request for a model which is unknown; without it such a "
            "request is refused"
        ),
    )
    openai_history: int = Field(
        default=100,
        ge=0,
        description=(
            "how many messages of a conversation a model server receives besides the question; older ones are left out"
        ),
    )
    openai_system_balanced: str | None = Field(
        default=None, description="the system prompt of the style `balanced` at model servers"
    )
    openai_system_creative: str | None = Field(
        default=None, description="the system prompt of the style `creative` at model servers"
    )
    openai_system_precise: str | None = Field(
        default=None, description="the system prompt of the style `precise` at model servers"
    )
    openai_temperature_balanced: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description=f"the temperature of the style `balanced` at model servers; {_SERVERS_OWN}",
    )
    openai_temperature_creative: float | None = Field(
        default=1.0,
        ge=0,
        le=2,
        description=f"the temperature of the style `creative` at model servers; {_SERVERS_OWN}",
    )
    openai_temperature_precise: float | None = Field(
        default=0.2,
        ge=0,
        le=2,
        description=f"the temperature of the style `precise` at model servers; {_SERVERS_OWN}",
    )
    bing_create_url: str = Field(
        default="https://www.bing.com/turing/conversation/create", description="where conversations are created"
    )
    bing_chat_url: str = Field(default="wss://sydney.bing.com/sydney/ChatHub", description="where questions are asked")
    bing_image_url: str = Field(default="https://www.bing.com", description="where pictures are made")
    worker_slots: int = Field(default=64, ge=1, le=10_000, description="how many questions one worker has out at once")
    account_turns: int = Field(
        default=8, ge=0, description="how many questions one account has out at once over all workers; 0 is no limit"
    )
    account_tries: int = Field(default=3, ge=1, description="how many accounts are tried for one question")
    alert_webhook: HttpUrl | None = Field(
        default=None, description="the `http://` or `https://` address that alerts are sent to"
    )
    alert_share: float = Field(
        default=0.5, ge=0, le=1, description="the share of ready accounts below which an alert is sent"
    )
    lease_ttl: float = Field(default=LEASE_TTL, ge=1.0, description="how long a silent worker keeps its tokens")
    picture_limit: int = Field(
        default=128 * 1024 * 1024,
        ge=0,
        description="how many bytes of Redis's memory all pictures that are kept may take",
    )
    connect_timeout: float = Field(
        default=15.0, gt=0, description="how long creating a conversation and connecting may take"
    )
    first_text_timeout: float = Field(default=60.0, gt=0, description="how long the first text may take")
    idle_timeout: float = Field(default=60.0, gt=0, description="how long the silence between two texts may be")
    idle_release: float = Field(default=60.0, gt=0, description="after how long without work a token is given back")
    metrics_host: str = Field(default="127.0.0.1", min_length=1, description="the address to serve metrics on")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="the port for metrics; without it a worker serves none; 0 is a free one, which is logged",
    )

    @field_validator(
        "openai_temperature_balanced",
        "openai_temperature_creative",
        "openai_temperature_precise",
        "openai_api_key_file",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _server_is_whole(self) -> Self:
        if self.openai_base_url is not None and not (self.openai_model or "").strip():
            raise ValueError("OPENAI_BASE_URL needs OPENAI_MODEL beside it")
        if self.openai_api_key_file is not None and self.openai_api_key and self.openai_api_key.get_secret_value():
            raise ValueError("only one of OPENAI_API_KEY and OPENAI_API_KEY_FILE may be set")
        return self

    @property
    def openai_further_models(self) -> tuple[str, ...] | Literal["all"]:
        """The models that OPENAI_MODELS names."""
        names = tuple(filter(None, (name.strip() for name in self.openai_models.split(","))))
        return "all" if names == ("all",) else names

    @property
    def reserved_names(self) -> dict[str, str]:
        """The names that no export of cookies may have, each with what has it."""
        key_file, server = self.openai_api_key_file, self.openai_base_url
        files = {} if key_file is None else {key_file.stem: f"the key file {key_file.name}"}
        return files | ({} if server is None else {OPENAI: "a server"})

    @property
    def providers(self) -> tuple[str, ...]:
        """The names in PROVIDER, in order of preference."""
        return tuple(name.strip() for name in self.provider.split(","))


def environment(name: str) -> str | None:
    """Return the value of a variable that accounts.toml names; None if it isn't set."""
    return os.environ.get(name)
