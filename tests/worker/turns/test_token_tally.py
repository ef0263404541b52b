from wire.messages import Usage
from worker.turns.token_tally import TokenTally


def test_an_answer_counts_for_its_account_model_and_key() -> None:
    counts = TokenTally()
    usage = Usage(10, 4, cached=6, reasoning=3)
    for _ in range(2):
        counts.add(usage, account="a", model="vendor/m:1", client="key:ann")
    assert counts.kinds == {
        ("a", "vendor/m:1", "input"): 20,
        ("a", "vendor/m:1", "cached"): 12,
        ("a", "vendor/m:1", "output"): 8,
        ("a", "vendor/m:1", "reasoning"): 6,
    }
    assert counts.totals == {"tokens:model:vendor/m:1": 28, "tokens:account:a": 28, "tokens:key:ann": 28}


def test_a_client_without_a_key_has_no_name() -> None:
    counts = TokenTally()
    counts.add(Usage(1, 1), account="a", model="m", client="address:127.0.0.1")
    assert counts.totals == {"tokens:model:m": 2, "tokens:account:a": 2}


def test_only_so_many_names_are_distinguished() -> None:
    counts = TokenTally()
    for number in range(1000):
        counts.add(Usage(1, 1), account=f"a{number}", model="m", client=f"key:{number}")
    assert len(counts.kinds) <= 2 * 501
    assert len(counts.totals) <= 2 * 501 + 1
    assert sum(counts.kinds.values()) == 2000
    assert counts.totals["tokens:model:m"] == 2000
    assert counts.totals["tokens:account:other"] == counts.totals["tokens:key:other"] == 1000


def test_a_server_with_very_many_models_leaves_the_others_their_names() -> None:
    counts = TokenTally()
    for number in range(1000):
        counts.add(Usage(1, 1), account="a", model=f"m:{number}", client="")
    assert len(counts.kinds) <= 302
    assert counts.kinds["a", "other", "input"] > 0
    assert (counts.totals["tokens:account:a"], counts.totals["tokens:model:m:0"]) == (2000, 2)
    counts.add(Usage(1, 1), account="b", model="n", client="key:ann")
    assert counts.kinds["b", "n", "input"] == 1
    assert (counts.totals["tokens:model:n"], counts.totals["tokens:key:ann"]) == (2, 2)
