"""A worker's settings."""

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings, environment


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SLOTS", "7")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    settings = WorkerSettings()
    assert settings.worker_slots == 7
    assert "planted-secret" not in repr(settings)


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
