"""Every name carries its shard's hash tag, and no two kinds of key can meet."""

import inspect
from collections.abc import Callable

import pytest

from wire import keys

BUILDERS = {
    name: builder
    for name, builder in vars(keys).items()
    if inspect.isfunction(builder) and (name.endswith(("_key", "_stream", "channel"))) and not name.startswith("_")
}

ONLY_IN_SCRIPTS = {"again", "credit", "jobs"}

OF_THE_LEDGER = {
    "accounts_key",
    "account_key",
    "blame_key",
    "flight_key",
    "spent_key",
    "listed_key",
    "listing_key",
    "few_key",
    "handed_in_key",
    "export_key",
    "processes_key",
    "facts_key",
    "minute_key",
    "events_key",
}


def build(builder: Callable[..., str], id_: str) -> str:
    names = inspect.signature(builder).parameters
    return builder(*(keys.SHARD if name == "shard" else id_ for name in names))


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("id_", ["x", "", "s1-elsewhere", "{s9}", "a}b{c"])
def test_every_name_carries_the_tag_of_its_shard_or_of_the_ledger(name: str, id_: str) -> None:
    key = build(BUILDERS[name], id_)
    tag = keys.LEDGER if name in OF_THE_LEDGER else keys.SHARD
    assert key.startswith(keys.prefix(tag))
    # What Redis Cluster hashes: between the first { and the next }.
    assert key.partition("{")[2].partition("}")[0] == tag


def test_no_two_kinds_of_name_are_alike() -> None:
    names = [build(builder, "x") for builder in BUILDERS.values()]
    names += [f"{keys.prefix()}{keys.NAMES[kind]}x" for kind in ONLY_IN_SCRIPTS]
    assert len(set(names)) == len(names) == len(keys.NAMES)


def test_an_answers_id_names_its_shard() -> None:
    assert keys.shard_of_answer("s0-abc") == "s0"
    assert keys.shard_of_answer("anything") == "s0"
    assert keys.shard_of("token") == "s0"
