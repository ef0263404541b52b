"""The kinds of accounts: one is signed in by a browser's cookies, the other is a key at a server."""

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from wire.needs import ABILITIES, Ability
from worker.settings import OPENAI, WorkerSettings

# The cookie that signs an account in.
SIGN_IN = "_U"


@dataclass(frozen=True, kw_only=True)
class _AccountSettings:
    """What accounts.toml may set for an account of either kind.

    `weight` is relative to other accounts'. `turns` limits its turns in flight over all workers (None: ACCOUNT_TURNS).
    `daily` is its quota of questions a day, None if unknown. The address of its outbound `proxy` may hold a password.
    `answer_timeout` is how long one of its answers may take, in seconds; None: the settings' limit for its kind.
    """

    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None
    proxy: str | None = field(default=None, repr=False)
    answer_timeout: float | None = None


@dataclass(frozen=True)
class CookieAccount(_AccountSettings):
    """An account that a cookie export signs in.

    `name` is the file's name without its suffix, safe to log; `cookies` are never logged. `expires` is when the sign-in
    cookie does, in Unix seconds; None if unknown.
    """

    name: str
    cookies: dict[str, str] = field(repr=False)
    expires: float | None = None

    makes_images: ClassVar[bool] = True
    stream: ClassVar[bool] = True
    # It takes nothing but text, in one of the styles.
    models: ClassVar[tuple[str, ...]] = ()
    lists_models: ClassVar[bool] = False
    abilities: ClassVar[frozenset[Ability]] = frozenset()

    def answer_limit(self, settings: WorkerSettings) -> float:
        """Return how long one answer may take, in seconds."""
        return self.answer_timeout or settings.answer_timeout

    @property
    def cookie_header(self) -> str:
        """All cookies as one `Cookie` header, with the values as the browser had them, without added quotes."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def fingerprint(self) -> str:
        """A digest of 16 hex digits that changes with the sign-in cookie and doesn't reveal it."""
        return _digest(self.cookies[SIGN_IN])


NO_TEMPERATURE = "none"
Temperature = float | Literal["none"]
# Where messages of the system go: where their client sent them, or joined in front of all others.
SystemMessages = Literal["told", "first"]
# A server's name for the largest number of tokens of an answer.
MaxTokensName = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True)
class StyleTemperatures:
    """The temperature of each style; `none` isn't sent, and None is the setting's (OPENAI_TEMPERATURE_…)."""

    balanced: Temperature | None = None
    creative: Temperature | None = None
    precise: Temperature | None = None


@dataclass(frozen=True)
class ServerAccount(_AccountSettings):
    """An account at a server with an HTTP API, under a name of the operator's.

    `provider` names the API's dialect. A request's path is appended to the path of `base_url`, before its query.
    `key` is empty where none is needed, and never logged. Without an `image_model` it makes no images.
    `stream`: it streams its answers; `stream_options`: it can be asked for their usage. `think_tags`: their text may
    contain the model's reasoning between `<think>` tags. `system`: where messages of the system go;
    `developer`: it knows that role. `max_tokens` is its name for that parameter.
    `model` answers the styles; all that can be asked for are its `models`, and with `lists_models` those that the
    server lists. `abilities` are what they can do.
    """

    name: str
    base_url: str
    model: str
    key: str = field(default="", repr=False)
    image_model: str | None = None
    provider: str = OPENAI
    temperatures: StyleTemperatures = StyleTemperatures()
    stream_options: bool = True
    stream: bool = True
    think_tags: bool = False
    system: SystemMessages = "told"
    developer: bool = False
    max_tokens: MaxTokensName = "max_tokens"
    further_models: tuple[str, ...] = ()
    lists_models: bool = False
    abilities: frozenset[Ability] = ABILITIES

    @property
    def models(self) -> tuple[str, ...]:
        """All models that accounts.toml names, without repeats."""
        return tuple(dict.fromkeys((self.model, *self.further_models)))

    def answer_limit(self, settings: WorkerSettings) -> float:
        """Return how long one answer may take, in seconds."""
        return self.answer_timeout or settings.server_answer_timeout

    @property
    def makes_images(self) -> bool:
        """Whether it has a model that makes images."""
        return self.image_model is not None

    @property
    def fingerprint(self) -> str:
        """A digest of 16 hex digits that changes with the server, its models or the key, and doesn't reveal the key."""
        # Workers of the version before compute it from this same text: a different one would reset the account.
        server = f"Server(base_url={self.base_url!r}, model={self.model!r}, image_model={self.image_model!r})"
        return _digest(server + self.key)


Account = CookieAccount | ServerAccount


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
