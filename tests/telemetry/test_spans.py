"""The span that is not exported."""

import pytest

from telemetry.spans import NoopSpan


def test_a_span_that_is_not_exported_changes_nothing_and_lets_errors_pass() -> None:
    span = NoopSpan()
    with pytest.raises(KeyError), span as opened:
        opened.set_attributes(bing_outcome="done")
        opened.fail("timeout.first")
        assert opened.traceparent == ""
        raise KeyError("its own")
    assert opened is span
