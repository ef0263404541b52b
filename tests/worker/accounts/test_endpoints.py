from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.needs import ABILITIES
from worker.accounts.account import ServerAccount, StyleTemperatures
from worker.accounts.endpoints import ServerEntry, environment_accounts, is_base_url, parse_key, resolve_server
from worker.settings import WorkerSettings

ENTRY = ServerEntry("a", "http://127.0.0.1:1/v1", "m")


def test_a_server_without_a_key_needs_none() -> None:
    assert resolve_server(ENTRY, None).account == ServerAccount("a", "http://127.0.0.1:1/v1", "m")


@pytest.mark.parametrize("text", ["key-1", "  key-1\n"])
def test_the_key_is_what_its_file_or_variable_holds(text: str) -> None:
    entry = ServerEntry("a", "http://127.0.0.1:1/v1", "m", api_key_file="k")
    assert resolve_server(entry, text).account == ServerAccount("a", "http://127.0.0.1:1/v1", "m", "key-1")


@pytest.mark.parametrize("text", ["", "two words", "two\nlines", "schlüssel"])
def test_what_is_no_key_is_reported_without_its_text(text: str) -> None:
    entry = ServerEntry("a", "http://127.0.0.1:1/v1", "m", api_key_env="KEY")
    lookup = resolve_server(entry, text)
    assert lookup.account is None
    assert lookup.fault == "the variable KEY holds no key: one line of visible ASCII characters is wanted"


def test_a_variable_that_is_not_set_is_reported() -> None:
    lookup = resolve_server(ServerEntry("a", "http://127.0.0.1:1/v1", "m", api_key_env="KEY"), None)
    assert lookup.fault == "the variable KEY isn't set"


@pytest.mark.parametrize("value", ["http://a", "https://a.example:8443/v1/", "http://[::1]:1/v1?api-version=1"])
def test_an_address_has_a_scheme_and_a_host(value: str) -> None:
    assert is_base_url(value)


@pytest.mark.parametrize("value", ["", "a", "ftp://a", "http://", "http:///v1", "http://a:0", "http://[", "http://a\n"])
def test_what_is_no_address_is_refused(value: str) -> None:
    assert not is_base_url(value)


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    key = parse_key(text)
    assert key is None or (key == text.strip() and key.isascii() and " " not in key)


@pytest.mark.parametrize(
    ("temperature", "temperatures"),
    [
        (None, StyleTemperatures()),
        (0.5, StyleTemperatures(0.5, 0.5, 0.5)),
        ("none", StyleTemperatures("none", "none", "none")),
        ({"creative": 1.5, "precise": "none"}, StyleTemperatures(None, 1.5, "none")),
    ],
)
def test_one_temperature_is_for_all_styles_and_a_table_for_some(
    temperature: Any, temperatures: StyleTemperatures
) -> None:
    entry = ServerEntry("a", "http://a/v1", "m", temperature=temperature, stream_options=False)
    account = resolve_server(entry, None).account
    assert account is not None
    assert (account.temperatures, account.stream_options) == (temperatures, False)


def test_the_environment_names_a_server_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_accounts(WorkerSettings()) == ()
    settings = WorkerSettings(openai_base_url="http://a/v1", openai_model="m", openai_api_key=" sk-1 ")  # type: ignore[arg-type]
    (account,) = environment_accounts(settings)
    assert account == ServerAccount("openai", "http://a/v1", "m", "sk-1")
    assert "sk-1" not in repr(account)


@pytest.mark.parametrize("text", ["sk-1", " sk-1\r\n", "\ufeffsk-1\n"])
def test_the_environments_key_may_be_in_a_file(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "key").write_text(text)
    settings = WorkerSettings(openai_base_url="http://a/v1", openai_model="m", openai_api_key_file=file)
    assert environment_accounts(settings) == (ServerAccount("openai", "http://a/v1", "m", "sk-1"),)


@pytest.mark.parametrize(
    "text", ["", " \n", "planted key", "planted\x00", "planted\nkey", "plänted", "[planted\x1b[0m"]
)
def test_a_file_or_variable_that_holds_no_key_is_one_sentence(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "key").write_text(text)
    at_server = {"openai_base_url": "http://a/v1", "openai_model": "m"}
    for source, settings in [
        (f"OPENAI_API_KEY_FILE: {file}", WorkerSettings(**at_server, openai_api_key_file=file)),  # type: ignore[arg-type]
        ("OPENAI_API_KEY", WorkerSettings(**at_server, openai_api_key=text)),  # type: ignore[arg-type]
    ]:
        if source == "OPENAI_API_KEY" and not text.strip():
            assert environment_accounts(settings)[0].key == ""
            continue
        with pytest.raises(ValueError, match="holds no key") as refusal:
            environment_accounts(settings)
        assert str(refusal.value) == f"{source} holds no key: one line of visible ASCII characters is wanted"


def test_a_file_of_the_environments_key_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    for file, cause in [(tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")]:
        settings = WorkerSettings(openai_base_url="http://a/v1", openai_model="m", openai_api_key_file=file)
        with pytest.raises(ValueError, match=cause) as refusal:
            environment_accounts(settings)
        assert str(refusal.value) == f"OPENAI_API_KEY_FILE: {file} can't be read: {cause}"


def test_two_keys_have_two_fingerprints() -> None:
    prints = {ServerAccount("a", "http://a/v1", "m", key).fingerprint for key in ("one", "two")}
    assert len(prints) == 2
    assert not any("one" in print_ for print_ in prints)


def test_how_a_server_answers_is_part_of_its_account() -> None:
    entry = ServerEntry("a", "http://127.0.0.1:1/v1", "m", stream=False, think_tags=True, developer=True)
    account = resolve_server(entry, None).account
    assert account is not None
    assert (account.stream, account.think_tags, account.developer) == (False, True, True)
    assert account.max_tokens == "max_tokens"


def test_a_server_is_able_to_what_its_api_has_a_form_for() -> None:
    entry = ServerEntry("a", "http://a", "m", provider="anthropic", tools=False)
    assert entry.with_key("").abilities == ABILITIES - {"logprobs", "tools"}
    assert ServerEntry("a", "http://a", "m").with_key("").abilities == ABILITIES
