"""Accounts at servers, as accounts.toml or the environment defines them, and their keys."""

import re
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from wire.needs import ABILITIES, Ability
from worker.accounts.account import MaxTokensName, ServerAccount, StyleTemperatures, SystemMessages, Temperature
from worker.settings import ANTHROPIC, OPENAI, WorkerSettings

# What an HTTP header can carry: visible ASCII in one line.
_KEY = re.compile(r"[!-~]{1,4096}")
# What an API has no form for, by its provider.
_LACKING: Mapping[str, AbstractSet[Ability]] = {ANTHROPIC: {"logprobs"}}
_NO_KEY = "holds no key: one line of visible ASCII characters is wanted"


@dataclass(frozen=True)
class ServerEntry:
    """An entry of accounts.toml that defines a server; its key is in a file or in an environment variable."""

    name: str
    base_url: str
    model: str
    image_model: str | None = None
    api_key_file: str | None = None
    api_key_env: str | None = None
    provider: str = OPENAI
    temperature: Temperature | dict[str, Temperature] | None = None
    stream_options: bool = True
    stream: bool = True
    think_tags: bool = False
    system: SystemMessages = "told"
    developer: bool = False
    max_tokens: MaxTokensName = "max_tokens"
    models: Sequence[str] | Literal["all"] = ()
    tools: bool = True
    json: bool = True
    pictures: bool = True
    logprobs: bool = True
    sampling: bool = True
    reasoning: bool = True

    @property
    def abilities(self) -> frozenset[Ability]:
        """What its models can do, as far as the API has a form for it."""
        return frozenset(ability for ability in ABILITIES if getattr(self, ability)) - _LACKING.get(
            self.provider, set()
        )

    def with_key(self, key: str) -> ServerAccount:
        """Return the account that uses this key."""
        return ServerAccount(
            self.name,
            self.base_url,
            self.model,
            key,
            self.image_model,
            self.provider,
            _style_temperatures(self.temperature),
            self.stream_options,
            self.stream,
            self.think_tags,
            self.system,
            developer=self.developer,
            max_tokens=self.max_tokens,
            further_models=() if self.models == "all" else tuple(self.models),
            lists_models=self.models == "all",
            abilities=self.abilities,
        )


def _style_temperatures(temperature: Temperature | dict[str, Temperature] | None) -> StyleTemperatures:
    """Return the temperatures of the styles, which one value sets for all of them."""
    if isinstance(temperature, dict):
        return StyleTemperatures(**temperature)
    return StyleTemperatures(temperature, temperature, temperature)


@dataclass(frozen=True)
class ServerLookup:
    """The account that an entry defines, or what is wrong with its key.

    `exposed`: other users than the key file's owner may read it.
    """

    account: ServerAccount | None = None
    fault: str = field(default="", kw_only=True)
    exposed: bool = field(default=False, kw_only=True)


def is_base_url(value: str) -> bool:
    """Return whether the value can be a base_url."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and value.isprintable()
    except ValueError:
        return False


def parse_key(text: str) -> str | None:
    """Return the key in a file's or variable's text; None if there is none."""
    key = text.strip()
    return key if _KEY.fullmatch(key) else None


def resolve_server(entry: ServerEntry, text: str | None) -> ServerLookup:
    """Return the entry's account with the key in `text`, which its file or variable contains (None: isn't set)."""
    if entry.api_key_file is None and entry.api_key_env is None:
        return ServerLookup(entry.with_key(""))
    source = entry.api_key_file or f"the variable {entry.api_key_env}"
    if text is None:
        return ServerLookup(fault=f"{source} isn't set")
    key = parse_key(text)
    return ServerLookup(entry.with_key(key)) if key else ServerLookup(fault=f"{source} {_NO_KEY}")


def find_mistakes(entry: Mapping[str, object], providers: Collection[str]) -> list[str]:
    """Return what is wrong with a server's entry beyond the types of its values; `providers` are the known ones."""
    if "base_url" not in entry:
        return ["a server needs base_url"]
    if "model" not in entry:
        return ["a server needs model"]
    if "api_key_file" in entry and "api_key_env" in entry:
        return ["only one of api_key_file and api_key_env may be there"]
    provider = entry.get("provider", OPENAI)
    if isinstance(provider, str) and provider not in providers:
        return [f"provider must be one of {', '.join(sorted(providers))}"]
    return []


def environment_accounts(settings: WorkerSettings) -> tuple[ServerAccount, ...]:
    """Return the account at the server that the environment defines, if it defines one.

    ValueError, with one sentence that doesn't contain the key, if its key can't be one.
    """
    if settings.openai_base_url is None or settings.openai_model is None:
        return ()
    key = _environment_key(settings)
    models = settings.openai_further_models
    return (
        ServerAccount(
            OPENAI,
            settings.openai_base_url,
            settings.openai_model,
            key,
            settings.openai_image_model,
            further_models=models if isinstance(models, tuple) else (),
            lists_models=models == "all",
        ),
    )


def _environment_key(settings: WorkerSettings) -> str:
    """Return the key that OPENAI_API_KEY or OPENAI_API_KEY_FILE holds, '' for none. ValueError."""
    file, variable = settings.openai_api_key_file, settings.openai_api_key
    text = variable.get_secret_value() if variable else ""
    if file is None and not text.strip():
        return ""
    source = "OPENAI_API_KEY" if file is None else f"OPENAI_API_KEY_FILE: {file}"
    try:
        key = parse_key(text if file is None else file.read_text("utf-8-sig", "replace"))
    except OSError as error:
        raise ValueError(f"{source} can't be read: {error.strerror}") from None
    if key is None:
        raise ValueError(f"{source} {_NO_KEY}")
    return key
