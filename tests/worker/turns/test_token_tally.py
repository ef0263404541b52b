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
        counts.add(Usage(1, 1), account="a", model=f"m:{number}", client="")
    assert len(counts.kinds) <= 502
    assert len(counts.totals) <= 502
    assert sum(counts.kinds.values()) == 2000
    assert counts.totals["tokens:account:a"] == 2000
    assert counts.totals["tokens:model:other"] > 0
