"""Names that lead to models, and which accounts can answer with them."""

import difflib
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.model_table import STYLES, ModelTable, Offer, OfferedAccount, build_table
from wire.needs import ABILITIES, Ability


def account(name: str, *models: str, able: str = "tools json", present: bool = True) -> OfferedAccount:
    return OfferedAccount(name, "openai", Offer(models, abilities=tuple(able.split())), present)


BING = OfferedAccount("bing", "edgegpt", Offer(text_only=True))
MODELS = ("llama3.2:latest", "mistral", "Qwen/Qwen2.5-7B", "meta/llama", "other/llama", "a/b/c")
TABLE = ModelTable(
    (account("local", *MODELS), account("vendor", "gpt-4o", able="tools")),
    {"fast": ("mistral", "gpt-4o"), "gpt-4o": ("gpt-4o", "mistral"), "chat": ("bing-creative",)},
)


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("mistral", ["mistral"]),
        ("llama3.2", ["llama3.2:latest"]),
        ("mistral:latest", ["mistral"]),
        ("openai/mistral", ["mistral"]),
        ("ollama/llama3.2", ["llama3.2:latest"]),
        ("Qwen/Qwen2.5-7B", ["Qwen/Qwen2.5-7B"]),
        ("Qwen2.5-7B", ["Qwen/Qwen2.5-7B"]),
        ("a/b/c", ["a/b/c"]),
        ("b/c", ["a/b/c"]),
        ("fast", ["mistral", "gpt-4o"]),
        ("openai/fast", ["mistral", "gpt-4o"]),
        ("gpt-4o", ["gpt-4o", "mistral"]),
        ("chat", ["bing-creative"]),
        ("bing-balanced", ["bing-balanced"]),
        ("llama", []),
        ("Mistral", []),
        ("", []),
        ("/", []),
        (":latest", []),
    ],
)
def test_a_name_leads_to_exact_names_or_to_nothing(name: str, chain: list[str]) -> None:
    assert list(TABLE.find(name)) == chain


@given(st.sampled_from(MODELS))
def test_an_exact_name_leads_to_itself_whatever_else_is_like_it(name: str) -> None:
    table = ModelTable((account("a", *MODELS, f"{name}:latest", f"x/{name}", name.partition("/")[2]),))
    assert table.find(name) == (name,)


def test_the_default_takes_every_unknown_name_and_no_known_one() -> None:
    assert not ModelTable(TABLE.accounts, default="mistral").has("unheard")
    assert TABLE.has("mistral:latest")
    table = ModelTable(TABLE.accounts, TABLE.aliases, default="fast")
    assert table.find("nothing-like-it") == ("mistral", "gpt-4o")
    assert table.find("meta/llama") == ("meta/llama",)
    assert ModelTable(default="gone").find("x") == ()


def test_the_nearest_names_are_those_that_look_like_it() -> None:
    assert TABLE.nearest("Mistrall")[0] == "mistral"
    assert TABLE.nearest("gpt4o")[0] == "gpt-4o"
    assert TABLE.nearest("zzzzzzzzzzzz") == ()


def test_of_a_thousand_names_few_are_compared_with_an_unknown_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    original = difflib.get_close_matches

    def compare(word: str, possibilities: Collection[str], *limits: Any) -> list[str]:
        compared.append(len(possibilities))
        return original(word, possibilities, *limits)

    monkeypatch.setattr(difflib, "get_close_matches", compare)
    names = [f"vendor-{number % 7}/model-{number}-instruct" for number in range(1000)]
    table = build_table([OfferedAccount("a", "openai", Offer((*names, "Mistral/Mixtral-8x7B")))])
    assert table.nearest("mistral/mixtral8x7b")[0] == "Mistral/Mixtral-8x7B"
    assert table.nearest("vendor-3/model-500-instruct-v2")[0].startswith("vendor-")
    assert max(compared) <= 20


def test_all_names_are_styles_then_aliases_and_models() -> None:
    assert TABLE.names == (*STYLES, *sorted({*MODELS, "fast", "gpt-4o", "chat"}))


def test_only_present_accounts_are_available_and_aliases_of_one() -> None:
    table = ModelTable((account("a", "x", present=False), account("b", "y")), {"both": ("x", "y"), "one": ("x",)})
    assert table.available == (*STYLES, "both", "y")
    assert table.is_away(table.find("one"))
    assert not table.is_away(table.find("both"))


def test_an_account_that_lacks_what_is_needed_is_not_among_those_for_a_model() -> None:
    table = ModelTable((account("a", "m", able="tools"), account("b", "m", able="")))
    assert [one.name for one in table.accounts_for("m")] == ["a", "b"]
    assert [one.name for one in table.accounts_for("m", {"tools"})] == ["a"]
    assert table.is_away(["m"], {"json"})


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        ({"tools"}, set()),
        ({"pictures"}, {"pictures"}),
        ({"tools", "pictures"}, {"pictures"}),
        ({"tools", "json"}, {"tools", "json"}),
    ],
)
def test_what_no_account_of_a_model_meets_is_missing(needs: set[Ability], missing: set[Ability]) -> None:
    accounts = account("a", "m", able="tools"), account("b", "m", able="json"), account("c", "n", able="pictures")
    assert ModelTable(accounts).missing(["m"], needs) == missing


def test_what_an_account_of_the_chain_cannot_do_is_ignored_for_all() -> None:
    accounts = account("a", "m", able="tools sampling reasoning"), account("b", "n", able="sampling")
    table = ModelTable((*accounts, account("c", "m", able="", present=False)))
    assert table.abilities(["m"]) == {"tools", "sampling", "reasoning"}
    assert table.abilities(["m", "n"]) == {"sampling"}
    assert table.abilities(["m", "n"], {"tools"}) == {"tools", "sampling", "reasoning"}
    assert table.abilities(["unknown"]) == frozenset()


def test_every_account_answers_the_styles_and_bing_takes_only_text() -> None:
    table = ModelTable((BING, account("a", "m", able=" ".join(ABILITIES))))
    assert [one.name for one in table.accounts_for("bing-precise")] == ["bing", "a"]
    assert table.is_text_only(["bing-precise"])
    assert table.abilities(["bing-precise"]) == frozenset()
    assert not table.is_text_only(["bing-precise"], {"tools"})
    assert not table.is_text_only(["m"])


def test_the_newest_file_of_a_present_account_has_the_aliases() -> None:
    def at(name: str, version: int, *, present: bool = True, disputed: bool = False) -> OfferedAccount:
        return OfferedAccount(name, "", Offer(aliases={"x": (f"v{version}",)}), present, version, disputed)

    assert build_table([]).aliases == {}
    assert build_table([at("a", 3), at("b", 2), at("c", 9, present=False)]).aliases == {"x": ("v3",)}
    assert build_table([at("c", 9, present=False)]).aliases == {"x": ("v9",)}
    assert build_table([at("a", 3), at("b", 2)]).is_disputed
    assert build_table([at("a", 3, disputed=True)]).is_disputed
    assert not build_table([at("a", 3), at("b", 3), at("c", 2, present=False)]).is_disputed


def test_a_servers_list_counts_only_where_all_its_models_were_asked_for() -> None:
    assert OfferedAccount("a", "", Offer(("m",), lists=True), listed=("n",)).models == {"m", "n"}
    assert OfferedAccount("a", "", Offer(("m",)), listed=("n",)).models == {"m"}
