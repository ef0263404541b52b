import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.accounts.account import CookieAccount
from worker.accounts.config import AccountOptions, AccountsConfig, Aliases, parse_config

PROXY = "socks5://user:s3cr%21et@127.0.0.1:1080"
WHOLE = f"""
[accounts.alice]
weight = 2
turns = 4
daily = 150
proxy = "{PROXY}"

[accounts."bob.smith"]
weight = 0.5
"""


SERVER = "base_url = 'http://a/v1'\nmodel = 'm'\n"
TEMPERATURE = 'a number from 0 to 2, "none", or a table of those for the styles balanced, creative and precise'


def parse(text: str) -> AccountsConfig:
    return parse_config(text.encode())


def test_each_entry_says_the_terms_of_an_account() -> None:
    whole = parse(WHOLE)
    assert whole.problems == ()
    assert whole.options_for("alice") == AccountOptions(2.0, 4, 150, PROXY)
    assert whole.options_for("bob.smith") == AccountOptions(0.5)
    assert whole.options_for("carol") == AccountOptions()


@pytest.mark.parametrize("text", ["", "# nothing yet", "\ufeff", "[accounts]"])
def test_a_file_without_entries_says_nothing(text: str) -> None:
    assert (parse(text).options_for("alice"), parse(text).problems) == (AccountOptions(), ())


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        ("weight = 0", "weight must be a number above 0 and up to 1000"),
        ("weight = inf", "weight must be a number above 0 and up to 1000"),
        ("weight = nan", "weight must be a number above 0 and up to 1000"),
        ('weight = "secret"', "weight must be a number above 0 and up to 1000"),
        ("turns = 0", "turns must be a whole number from 1 to 10000"),
        ("turns = true", "turns must be a whole number from 1 to 10000"),
        ("turns = 1.5", "turns must be a whole number from 1 to 10000"),
        ("daily = 99999999999999999999", "daily must be a whole number from 1 to 1000000"),
        ("model = 'm'", "a server needs base_url"),
        ("base_url = 'http://a/v1'", "a server needs model"),
        ("base_url = 'a'\nmodel = 'm'", "base_url must be an address that begins with http:// or https://"),
        ("base_url = 'http://a/v1'\nmodel = ''", "model must be a model's name"),
        (
            "base_url = 'http://a/v1'\nmodel = 'm'\nprovider = 'edgegpt'",
            "provider must be one of openai",
        ),
        ("base_url = 'http://a/v1'\nmodel = 'm'\nprovider = 3", "provider must be a provider's name"),
        (SERVER + "temperature = 3", f"temperature must be {TEMPERATURE}"),
        (SERVER + "temperature = 'off'", f"temperature must be {TEMPERATURE}"),
        (SERVER + "temperature = { loud = 1 }", f"temperature must be {TEMPERATURE}"),
        (SERVER + "stream_options = 1", "stream_options must be true or false"),
        (
            "wieght = 1",
            "there is no setting 'wieght', only weight, turns, daily, answer_timeout, proxy, base_url, model, "
            "image_model, api_key_file, api_key_env, provider, temperature, stream_options, stream, think_tags, "
            "system, developer, max_tokens, models, tools, json, pictures, logprobs, sampling, reasoning",
        ),
        ("answer_timeout = 0", "answer_timeout must be seconds, above 0 and up to 3600"),
        ("base_url = 'http://a/v1'\nmodel = 'm'\nstream = 'no'", "stream must be true or false"),
        ("base_url = 'http://a/v1'\nmodel = 'm'\nthink_tags = 1", "think_tags must be true or false"),
        ("base_url = 'http://a/v1'\nmodel = 'm'\nsystem = 'last'", 'system must be "told" or "first"'),
        (SERVER + "developer = 1", "developer must be true or false"),
        (SERVER + "max_tokens = 100", 'max_tokens must be "max_tokens" or "max_completion_tokens"'),
    ],
)
def test_each_mistake_is_one_sentence_and_loses_no_other_account(setting: str, mistake: str) -> None:
    parsed = parse(f"[accounts.alice]\n{setting}\n[accounts.bob]\nweight = 2")
    assert parsed.problems == (f"accounts.toml, 'alice': {mistake}",)
    assert (parsed.options_for("alice"), parsed.options_for("bob"), parsed.options_for("carol")) == (
        None,
        AccountOptions(2.0),
        AccountOptions(),
    )


def test_an_entry_that_is_none_is_reported() -> None:
    parsed = parse("[accounts]\nalice = 3")
    assert parsed.problems == ("accounts.toml, 'alice': it must be an entry of its own, [accounts.NAME]",)
    assert parsed.options_for("alice") is None


@pytest.mark.parametrize(
    "proxy",
    [
        "http://127.0.0.1:3128",
        "http://proxy.example:3128/",
        "socks5://[::1]:1080",
        "http://user:@proxy:1",
        "socks5://us%40er:p%3Ass@proxy:65535",
    ],
)
def test_a_proxy_is_an_address(proxy: str) -> None:
    assert parse(f"[accounts.alice]\nproxy = '{proxy}'").options_for("alice") == AccountOptions(proxy=proxy)


@pytest.mark.parametrize(
    "proxy",
    [
        "secret",
        "https://u:secret@proxy:1",
        "socks5h://u:secret@proxy:1",
        "socks4://u:secret@proxy:1",
        "http://u:secret@proxy",
        "http://u:secret@proxy:0",
        "http://u:secret@proxy:65536",
        "http://u:secret@proxy:1/path",
        "http://u:sec@ret@proxy:1",
        "http://secret@proxy:1",
        "http://u%3A:secret@proxy:1",
        "http://u:secret%0d%0a@proxy:1",
        "http://u:secret%E4%BD%A0@proxy:1",
        "http://u:secret" + "x" * 256 + "@proxy:1",
        "http://u:secret@pro xy:1",
        "HTTP://u:secret@proxy:1\\n",
    ],
)
def test_what_is_no_proxy_is_reported_without_its_password(proxy: str) -> None:
    parsed = parse(f'[accounts.alice]\nproxy = "{proxy}"')
    assert parsed.problems == (
        "accounts.toml, 'alice': proxy must be http:// or socks5://, then user:password@ if it wants them (%-encoded), "
        "host and port",
    )
    assert parsed.options_for("alice") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[accounts.alice\n", "accounts.toml is not TOML (line 1, column 16)"),
        ('proxy = "secret', "accounts.toml is not TOML"),
        ("a = " + "[" * 100_000, "accounts.toml is not TOML"),
        ("a = " + "9" * 10_000, "accounts.toml is not TOML"),
        (
            "[alice]\nweight = 1",
            "accounts.toml must have nothing but entries that begin with [accounts.NAME], and [aliases]",
        ),
        ("accounts = 3", "accounts.toml must have nothing but entries that begin with [accounts.NAME], and [aliases]"),
    ],
)
def test_a_file_that_cant_be_understood_says_nothing_of_any_account(text: str, sentence: str) -> None:
    assert (parse(text).problems, parse(text).options_for("alice")) == ((sentence,), None)


def test_terms_are_put_on_an_account_and_taken_from_it() -> None:
    account = CookieAccount("alice", {"_U": "1"}, 5.0)
    terms = AccountOptions(2.0, 4, 150, PROXY)
    assert terms.apply(account) == CookieAccount("alice", {"_U": "1"}, 5.0, weight=2.0, turns=4, daily=150, proxy=PROXY)
    assert AccountOptions.from_account(terms.apply(account)) == terms
    assert AccountOptions.from_account(account) == AccountOptions()


def test_no_proxy_is_shown_when_terms_are_printed() -> None:
    assert "s3cr" not in repr(parse(WHOLE))


@given(st.text() | st.text("[]accounts.li=\"'\n{}#:/@ 01", max_size=40).map(lambda text: f"[accounts.a]\nproxy={text}"))
def test_any_text_is_understood_or_reported(text: str) -> None:
    parsed = parse_config(text.encode("utf-8", "replace"))
    for sentence in parsed.problems:
        assert sentence.startswith("accounts.toml")
        assert sentence.isprintable()


def test_an_account_of_either_kind_may_have_a_limit_of_its_own_for_an_answer() -> None:
    parsed = parse("[accounts.alice]\nanswer_timeout = 600\n[accounts.bob]\nweight = 2")
    alice, bob = (parsed.options_for(name) for name in ("alice", "bob"))
    assert alice
    assert bob
    account = CookieAccount("alice", {"_U": "x"})
    assert (alice.apply(account).answer_timeout, bob.apply(account).answer_timeout) == (600, None)
    assert AccountOptions.from_account(alice.apply(account)) == alice


def test_an_alias_is_a_model_or_a_chain_of_them() -> None:
    whole = parse('[aliases]\nfast = ["m", "org/n:latest"]\n"gpt-4o" = "bing-creative"\n')
    assert (whole.aliases, whole.problems) == ({"fast": ("m", "org/n:latest"), "gpt-4o": ("bing-creative",)}, ())


@pytest.mark.parametrize(
    "line",
    ["x = 1", "x = []", 'x = ["a", 1]', 'x = ""', 'x = ["a b"]', 'bing-creative = "m"', '"a b" = "m"', "[aliases.x]",
     f"x = {['m'] * 17}", f'"{"x" * 257}" = "m"'],
)  # fmt: skip
def test_a_faulty_alias_has_one_sentence_and_keeps_its_chain(line: str) -> None:
    whole = parse(f"[aliases]\ny = 'n'\n{line}\n")
    (name,) = (name for name in whole.aliases or () if name != "y")
    assert whole.problems == (
        f"accounts.toml, alias {name!r} must be a name without spaces, none of bing-…, for a model's name or a list of "
        "up to 16 of them",
    )
    assert whole.aliases_after(Aliases({name: ("before",)})) == Aliases({name: ("before",), "y": ("n",)})
    assert whole.aliases_after(Aliases({"gone": ("before",)})) == Aliases({"y": ("n",)})


def test_all_aliases_stay_while_the_file_cannot_be_understood() -> None:
    assert parse("[aliases").aliases_after(Aliases({"x": ("m",)})) == Aliases({"x": ("m",)})
    assert parse("aliases = 1").problems == (
        "accounts.toml must have nothing but entries that begin with [accounts.NAME], and [aliases]",
    )


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        ("models = 'some'", 'models must be "all", or a list of models\' names'),
        ("models = ['a', 1]", 'models must be "all", or a list of models\' names'),
        ("models = ['a b']", 'models must be "all", or a list of models\' names'),
        ("tools = 1", "tools must be true or false"),
        ("reasoning = 'no'", "reasoning must be true or false"),
    ],
)
def test_a_faulty_setting_of_models_or_abilities_has_one_sentence(setting: str, mistake: str) -> None:
    assert parse(f"[accounts.a]\n{SERVER}{setting}\n").problems == (f"accounts.toml, 'a': {mistake}",)


def test_abilities_and_models_are_settings_of_servers_alone() -> None:
    assert parse("[accounts.a]\ntools = true\n").problems == ("accounts.toml, 'a': a server needs base_url",)
