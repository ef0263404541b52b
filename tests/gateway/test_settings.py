"""A gateway's settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "80")
    monkeypatch.setenv("SECRET_FILE", "secret")
    monkeypatch.setenv("SOURCES_IN_TEXT", "true")
    settings = GatewaySettings()
    assert (settings.gateway_port, settings.secret_file, settings.sources_in_text) == (80, Path("secret"), True)


def test_the_longest_answer_is_a_servers_unless_a_limit_is_set() -> None:
    assert GatewaySettings().longest_answer_timeout == 900
    assert GatewaySettings(answer_timeout=20).longest_answer_timeout == 20


def test_networks_of_proxies_are_checked_at_once() -> None:
    assert GatewaySettings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies == "10.0.0.0/8, ::1"
    with pytest.raises(ValidationError, match="trusted_proxies"):
        GatewaySettings(trusted_proxies="10.0.0.0/8, nginx")


@pytest.mark.parametrize(("name", "wrong"), [("cors_origins", "example.org"), ("allowed_hosts", "https://example.org")])
def test_origins_and_names_are_checked_at_once(name: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=name):
        GatewaySettings.model_validate({name: f"*, {wrong}"})


@pytest.mark.parametrize("endpoint", ["collector:4318", "http://", "http:// collector"])
def test_a_collector_needs_a_whole_address(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="otel_exporter_otlp_endpoint"):
        GatewaySettings(otel_exporter_otlp_endpoint=endpoint)
