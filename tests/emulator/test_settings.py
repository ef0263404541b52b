import pytest
from pydantic import ValidationError

from emulator.settings import EmulatorSettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "0", "PACE": "0", "KEY_NEEDED": "true", "PUBLIC_URL": "http://x:81"}.items():
        monkeypatch.setenv(f"EMULATOR_{name}", value)
    settings = EmulatorSettings()
    assert (settings.port, settings.pace, settings.key_needed, settings.public_url) == (0, 0.0, True, "http://x:81")


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("PACE", "-1"), ("DAILY_QUOTA", "-1"), ("PUBLIC_URL", "http://x/")]
)
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"EMULATOR_{name}", value)
    with pytest.raises(ValidationError):
        EmulatorSettings()
