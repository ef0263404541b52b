import json

import pytest

from worker.errors import UpstreamError
from worker.providers.value_budget import FREE_VALUES, MOST_OF_EVENT, MOST_VALUES, ValueBudget


def test_events_of_few_values_cost_nothing() -> None:
    budget, event = ValueBudget(), json.dumps([0] * (FREE_VALUES - 2))
    for _ in range(MOST_VALUES // 100):
        budget.charge(event)
    budget.charge(json.dumps([0] * (MOST_VALUES - 1)), MOST_VALUES)


def test_what_is_written_in_a_text_is_no_value() -> None:
    budget = ValueBudget()
    for _ in range(100):
        budget.charge(json.dumps(["[{," * MOST_OF_EVENT]))


def test_an_event_has_a_bound_and_all_of_them_together() -> None:
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        ValueBudget().charge(json.dumps([0] * MOST_OF_EVENT))
    budget, event = ValueBudget(), json.dumps([0] * (MOST_OF_EVENT - 1))
    for _ in range(MOST_VALUES // (MOST_OF_EVENT - FREE_VALUES)):
        budget.charge(event)
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        budget.charge(event)
