import pytest

from worker.accounts.account import CookieAccount, ServerAccount
from worker.accounts.ranking import ProviderOrder
from worker.settings import WorkerSettings

BING, LOCAL = CookieAccount("bing", {"_U": "x"}), ServerAccount("local", "http://127.0.0.1:1/v1", "m")


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
    order = ProviderOrder(WorkerSettings(provider=provider).providers, {"openai"})
    assert (order.provider_name(BING), order.rank(BING)) == bing
    assert (order.provider_name(LOCAL), order.rank(LOCAL)) == local


def test_an_account_makes_images_only_if_its_provider_does() -> None:
    order = ProviderOrder(("edgegpt",), {"openai", "parrot"}, {"parrot"})
    painter, parrot = (
        ServerAccount(name, "http://127.0.0.1:1", "m", image_model="p", provider=name) for name in ("openai", "parrot")
    )
    assert [order.makes_images(account) for account in (BING, LOCAL, painter, parrot)] == [True, False, True, False]
