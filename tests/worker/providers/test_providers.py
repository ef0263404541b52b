import pytest

from worker.providers import chat_provider
from worker.providers.bing.edgegpt import EdgeGPTProvider


def test_a_provider_is_found_by_its_name_or_its_place() -> None:
    assert chat_provider("edgegpt") is EdgeGPTProvider
    assert chat_provider("worker.providers.bing.edgegpt:EdgeGPTProvider") is EdgeGPTProvider


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing", "PROVIDER=nothing is neither one of edgegpt"),
        ("no.such.module:Class", "PROVIDER=no.such.module:Class can't be loaded: No module named"),
        (
            "worker.providers.bing.edgegpt:Nobody",
            "PROVIDER=worker.providers.bing.edgegpt:Nobody can't be loaded: module",
        ),
    ],
)
def test_a_provider_that_cant_be_found_is_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="PROVIDER=") as caught:
        chat_provider(name)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
