"""Which model a name means, and who may ask for it."""

import pytest

from gateway.answering.models import Models
from gateway.errors import ModelAwayError, ModelNotFoundError
from wire.jobs import ANYBODY, Client
from wire.model_table import ModelTable, Offer, OfferedAccount
from wire.prompt import AnswerFormat, Message, Prompt, Text, Tool, ToolChoice


def account(name: str, *models: str, able: tuple[str, ...] = (), provider: str = "openai") -> OfferedAccount:
    return OfferedAccount(name, provider, Offer(models, abilities=able))


GONE = OfferedAccount("gone", "openai", Offer(("o1",)), present=False)
SERVERS = Models(
    ModelTable(
        (
            account("secret-name", "gpt-4o", "org/qwen:7b", able=("sampling", "tools")),
            account("other", "gpt-4o", "llama", able=("tools",)),
            account("third", "llama", provider="anthropic"),
            GONE,
        ),
        {"smart": ("gpt-4o", "llama"), "gone": ("o1",)},
    )
)
STYLES = ["bing-balanced", "bing-creative", "bing-precise"]
ASKED = (Message("user", (Text("hi"),)),)


def holder(*models: str) -> Client:
    return Client("key:alice", "alice", None, models)


@pytest.mark.parametrize("style", ["balanced", "creative", "precise"])
def test_each_style_is_a_model_that_needs_no_table(style: str) -> None:
    choice = Models(ModelTable()).resolve(f"bing-{style}", ANYBODY)
    assert (choice.name, choice.style) == (f"bing-{style}", style)


def test_a_name_is_known_by_the_table_and_keeps_its_form() -> None:
    choice = SERVERS.resolve("openai/gpt-4o", ANYBODY)
    assert (choice.name, choice.chain, choice.style) == ("openai/gpt-4o", ("gpt-4o",), None)
    assert SERVERS.resolve("smart", ANYBODY).chain == ("gpt-4o", "llama")


def test_an_unknown_name_is_refused_with_those_most_like_it() -> None:
    with pytest.raises(ModelNotFoundError) as refused:
        SERVERS.resolve("gpt-4", ANYBODY)
    assert refused.value.nearest.split(", ")[0] == "gpt-4o"


def test_a_long_name_is_cut_in_the_error() -> None:
    with pytest.raises(ModelNotFoundError) as refused:
        SERVERS.resolve("x" * 1000, ANYBODY)
    assert (refused.value.model, refused.value.nearest) == ("x" * 64, "")


def test_a_name_of_more_than_a_kilobyte_is_no_model_not_even_the_default() -> None:
    models = Models(ModelTable((account("a", "llama"),), default="llama"))
    assert models.resolve("x" * 1024, ANYBODY).chain == ("llama",)
    with pytest.raises(ModelNotFoundError):
        models.resolve("x" * 1025, ANYBODY)


@pytest.mark.parametrize("name", ["o1", "gone"])
def test_a_model_that_nobody_has_now_is_away(name: str) -> None:
    with pytest.raises(ModelAwayError):
        SERVERS.resolve(name, ANYBODY)
    assert name not in SERVERS.names(ANYBODY)


def test_the_list_has_styles_models_and_aliases_and_the_kind_of_their_servers() -> None:
    assert SERVERS.names(ANYBODY) == [*STYLES, "gpt-4o", "llama", "org/qwen:7b", "smart"]
    owners = [SERVERS.owner(name) for name in ("bing-precise", "gpt-4o", "llama", "smart")]
    assert owners == ["bing", "openai", "server", "server"]


def test_a_key_allows_the_models_of_its_patterns_and_knows_no_others() -> None:
    alice = holder("bing-c*", "gpt-*", "org/*")
    assert SERVERS.names(alice) == ["bing-creative", "gpt-4o", "org/qwen:7b"]
    with pytest.raises(ModelNotFoundError) as refused:
        SERVERS.resolve("bing-creativ", alice)
    assert refused.value.nearest == "bing-creative"
    for name in ("bing-balanced", "llama", "o1"):
        with pytest.raises(ModelNotFoundError):
            SERVERS.resolve(name, alice)


def test_a_key_allows_an_alias_by_its_name_or_by_all_that_it_leads_to() -> None:
    assert SERVERS.resolve("smart", holder("smart")).chain == ("gpt-4o", "llama")
    assert SERVERS.resolve("smart", holder("gpt-4o", "llama")).chain == ("gpt-4o", "llama")
    with pytest.raises(ModelNotFoundError):
        SERVERS.resolve("smart", holder("gpt-4o"))


def test_the_default_takes_unknown_names_but_only_where_the_key_allows_it_itself() -> None:
    models = Models(ModelTable(SERVERS.table.accounts, default="llama"))
    assert models.resolve("anything", ANYBODY).chain == ("llama",)
    assert models.resolve("anything", holder("llama")).chain == ("llama",)
    with pytest.raises(ModelNotFoundError):
        models.resolve("anything", holder("any*"))


@pytest.mark.parametrize(
    ("pattern", "name", "allowed"),
    [("a[b]*", "a[b]c", True), ("a[b]*", "abc", False), ("a?c", "abc", False), ("GPT", "gpt", False), ("*", "x", True)],
)
def test_in_a_pattern_nothing_but_the_star_is_special(pattern: str, name: str, allowed: bool) -> None:
    models = Models(ModelTable((account("a", name),)))
    assert (name in models.names(holder(pattern))) == allowed


def test_what_no_account_of_the_model_can_do_is_missing() -> None:
    prompt = Prompt("chat", "llama", ASKED, tools=(Tool("function", "f"),), format=AnswerFormat("json"))
    assert SERVERS.resolve("llama", ANYBODY).missing(prompt) == {"json"}
    assert SERVERS.resolve("llama", ANYBODY).missing(Prompt("chat", "llama", ASKED)) == frozenset()


def test_who_could_do_what_is_needed_but_is_away_may_be_back() -> None:
    able = OfferedAccount("able", "openai", Offer(("llama",), abilities=("json",)), present=False)
    models = Models(ModelTable((account("a", "llama"), able)))
    with pytest.raises(ModelAwayError):
        models.resolve("llama", ANYBODY).missing(Prompt("chat", "llama", ASKED, format=AnswerFormat("json")))


def test_what_an_account_of_the_model_cannot_take_is_ignored() -> None:
    options = {"temperature": 1, "max_tokens": 9}
    assert SERVERS.resolve("gpt-4o", ANYBODY).ignored(Prompt("chat", "gpt-4o", ASKED, options=options)) == (
        "temperature",
    )
    qwen = SERVERS.resolve("qwen:7b", ANYBODY)
    assert qwen.ignored(Prompt("chat", "qwen:7b", ASKED, options=options)) == ()


def test_unknown_parameters_of_responses_are_for_no_server() -> None:
    prompt = Prompt("responses", "llama", ASKED, extra={"client_metadata": {}}, tools=(Tool("web_search"),))
    assert SERVERS.resolve("llama", ANYBODY).ignored(prompt) == ("tools", "client_metadata")


def test_the_own_parameters_of_the_anthropic_api_are_for_its_servers_alone() -> None:
    extra, tools = {"container": "c"}, (Tool("function", "f"), Tool("bash_20250124", "bash"))
    prompt = Prompt("anthropic", "claude", ASKED, extra=extra, tools=tools, tool_choice=ToolChoice("none"))
    other = Models(ModelTable((account("a", "claude"),))).resolve("claude", ANYBODY)
    assert other.ignored(prompt) == ("container", "tools")
    assert other.ignored(Prompt("chat", "claude", ASKED, extra=extra)) == ()
    stop = Prompt("anthropic", "claude", ASKED, options={"stop": ["a"]}, extra={"stop": ["b"]})
    assert other.ignored(stop) == (), "or the option would be left out"
    theirs = OfferedAccount("b", "anthropic", Offer(("claude",)))
    assert Models(ModelTable((theirs,))).resolve("claude", ANYBODY).ignored(prompt) == ()
