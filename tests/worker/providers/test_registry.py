"""The providers of a worker's accounts."""

import pytest

from tests.support.worker.harness import ACCOUNTS, settings_with
from tests.support.worker.scripted_provider import ScriptedProvider
from worker.providers.registry import ProviderRegistry

pytestmark = pytest.mark.anyio

SCRIPTED = "tests.support.worker.scripted_provider:ScriptedProvider"


async def test_a_provider_is_made_once_and_closed_with_the_registry() -> None:
    registry = ProviderRegistry(settings_with(provider=SCRIPTED))
    chat = registry.chat_for(ACCOUNTS[0])
    assert isinstance(chat, ScriptedProvider)
    assert registry.chat_for(ACCOUNTS[1]) is chat
    assert registry.provider_name(ACCOUNTS[0]) == SCRIPTED
    await registry.close()
    assert chat.closed


async def test_a_provider_that_there_is_not_is_one_sentence() -> None:
    registry = ProviderRegistry(settings_with(provider="nothing"))
    with pytest.raises(ValueError, match=r"^PROVIDER=nothing[^\n]*$"):
        registry.chat_for(ACCOUNTS[0])
    await registry.close()
