import pytest

from worker.accounts.account import Account, Server
from worker.accounts.ranking import provider_name, rank
from worker.settings import WorkerSettings

BING, LOCAL = Account("bing", {"_U": "x"}), Account("local", server=Server("http://127.0.0.1:1/v1", "m"))


@pytest.mark.parametrize(
    ("provider", "bing", "local"),
    [
        ("edgegpt", ("edgegpt", 0), ("openai", 1)),
        ("edgegpt, openai", ("edgegpt", 0), ("openai", 1)),
        ("openai,edgegpt", ("edgegpt", 1), ("openai", 0)),
        ("openai", ("edgegpt", 1), ("openai", 0)),
        ("mine:Provider", ("mine:Provider", 0), ("openai", 1)),
    ],
)
def test_provider_says_who_asks_and_who_is_asked_first(
    provider: str, bing: tuple[str, int], local: tuple[str, int]
) -> None:
    settings = WorkerSettings(provider=provider)
    assert (provider_name(BING, settings), rank(BING, settings)) == bing
    assert (provider_name(LOCAL, settings), rank(LOCAL, settings)) == local
