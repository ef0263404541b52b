"""A worker's settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings, environment


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SLOTS", "7")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    settings = WorkerSettings()
    assert settings.worker_slots == 7
    assert "planted-secret" not in repr(settings)


def test_a_servers_key_is_in_a_variable_or_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY_FILE", "/run/secrets/key")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert WorkerSettings().openai_api_key_file == Path("/run/secrets/key")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    with pytest.raises(ValidationError, match="only one of OPENAI_API_KEY and OPENAI_API_KEY_FILE may be set"):
        WorkerSettings()
    monkeypatch.setenv("OPENAI_API_KEY_FILE", "")
    assert WorkerSettings().openai_api_key_file is None


def test_the_environments_server_and_its_key_file_have_their_names() -> None:
    assert WorkerSettings().reserved_names == {}
    settings = WorkerSettings(
        openai_base_url="http://a/v1", openai_model="m", openai_api_key_file=Path("cookies/vendor.key")
    )
    assert settings.reserved_names == {"openai": "a server", "vendor": "the key file vendor.key"}


def test_several_providers_come_in_their_order() -> None:
    assert WorkerSettings(provider="openai, edgegpt").providers == ("openai", "edgegpt")


@pytest.mark.parametrize("model", [None, "", " "])
def test_a_server_needs_a_model(model: str | None) -> None:
    with pytest.raises(ValidationError, match="OPENAI_BASE_URL needs OPENAI_MODEL"):
        WorkerSettings(openai_base_url="http://127.0.0.1:1/v1", openai_model=model)


def test_an_empty_temperature_is_the_servers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WorkerSettings().openai_temperature_creative == 1.0
    monkeypatch.setenv("OPENAI_TEMPERATURE_CREATIVE", "")
    assert WorkerSettings().openai_temperature_creative is None


def test_a_variable_that_is_not_set_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_A_SERVER", "secret")
    assert environment("KEY_OF_A_SERVER") == "secret"
    assert environment("KEY_OF_ANOTHER_SERVER") is None
