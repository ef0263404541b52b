import pytest

from wire.prompt import Prompt
from worker.accounts.account import ServerAccount, StyleTemperatures, Temperature
from worker.providers.openai.styles import StyleSettings, model_of
from worker.settings import WorkerSettings

SETTINGS = WorkerSettings(openai_system_precise="Short", openai_temperature_precise=0.2)


def test_a_style_has_the_settings_system_prompt() -> None:
    styles = StyleSettings(SETTINGS)
    assert (styles.system("precise"), styles.system("balanced")) == ("Short", "")


@pytest.mark.parametrize(("own", "sent"), [(None, 0.2), (0.9, 0.9), ("none", None)])
def test_an_accounts_temperature_goes_before_the_settings(own: Temperature | None, sent: float | None) -> None:
    account = ServerAccount("a", "http://a", "m", temperatures=StyleTemperatures(precise=own))
    assert StyleSettings(SETTINGS).temperature(account, "precise") == sent


def test_a_server_without_sampling_gets_no_temperature() -> None:
    account = ServerAccount("a", "http://a", "m", abilities=frozenset())
    assert StyleSettings(SETTINGS).temperature(account, "precise") is None


@pytest.mark.parametrize(("asked", "model"), [(None, "m"), ("", "m"), ("bing-precise", "m"), ("other", "other")])
def test_a_question_is_for_its_model_and_in_a_style_for_the_servers_own(asked: str | None, model: str) -> None:
    prompt = None if asked is None else Prompt("chat", asked, ())
    assert model_of(ServerAccount("a", "http://a", "m"), prompt) == model
