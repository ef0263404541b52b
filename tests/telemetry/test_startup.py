"""Settings come from the environment; a wrong value ends the start with one sentence."""

import pytest
from pydantic_settings import BaseSettings

from telemetry.startup import load_settings


class Settings(BaseSettings):
    gateway_port: int = 5000
    worker_slots: int = 4


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "81")
    assert load_settings(Settings) == Settings(gateway_port=81, worker_slots=4)


def test_wrong_values_are_all_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "many")
    monkeypatch.setenv("WORKER_SLOTS", "none")
    with pytest.raises(SystemExit) as ended:
        load_settings(Settings)
    message = str(ended.value)
    assert "GATEWAY_PORT" in message
    assert "WORKER_SLOTS" in message
    assert "\n" not in message
