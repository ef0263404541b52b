"""The settings that both processes have."""

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from wire.settings import SharedSettings
from worker.settings import WorkerSettings

PROCESSES: list[type[SharedSettings]] = [GatewaySettings, WorkerSettings]


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_process_takes_the_shared_rules_and_defaults_as_they_are(kind: type[BaseSettings]) -> None:
    shared = SharedSettings.model_fields
    assert {name: repr(kind.model_fields[name]) for name in shared} == {name: repr(shared[name]) for name in shared}


def test_gateways_and_workers_have_no_setting_in_common_that_is_not_shared() -> None:
    both = GatewaySettings.model_fields.keys() & WorkerSettings.model_fields.keys()
    assert both == SharedSettings.model_fields.keys()


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("wrong", [{"DRAIN_TIMEOUT": "-1"}, {"LOG_FORMAT": "xml"}, {"SESSION_TTL": "0"}])
def test_a_wrong_value_is_refused_by_both(
    kind: type[BaseSettings], wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        kind()


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_process_may_end_running_answers_at_once(kind: type[SharedSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIN_TIMEOUT", "0")
    assert kind().drain_timeout == 0
