"""The span that is not exported."""

import pytest

from telemetry.spans import NoopSpan


def test_a_span_that_is_not_exported_changes_nothing_and_lets_errors_pass() -> None:
    with NoopSpan() as opened:
        opened.set_attributes(bing_outcome="done")
        opened.fail("timeout.first")
    assert opened.traceparent == ""
    with pytest.raises(KeyError), NoopSpan():
        raise KeyError("its own")
