"""Which trace the work of now belongs to."""

import asyncio
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.settings import GatewaySettings
from telemetry import traces
from tests.support.wire.submitted_work import read_work
from wire.jobs import Jobs, new_answer_id, new_token
from wire.messages import Chat, Image, Work
from wire.redis.store import Store

ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SOUND = f"00-{ID}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        (SOUND, SOUND),
        (SOUND[:-1] + "0", SOUND[:-1] + "0"),
        (f"cc{SOUND[2:]}", SOUND),
        (f"cc{SOUND[2:]}-what-is-new", SOUND),
        (f"{SOUND}-more", ""),
        (f"ff{SOUND[2:]}", ""),
        (SOUND.upper(), ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{ID}-{'0' * 16}-01", ""),
        (f"00-{ID}-00f067aa0ba902b7", ""),
        (f"{SOUND}\n", ""),
        ("", ""),
    ],
)
def test_only_a_sound_header_is_a_trace(sent: str, passed_on: str) -> None:
    assert traces.normalize(sent) == passed_on


@given(st.text(max_size=80) | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,5})?\Z"))
def test_what_is_passed_on_is_always_sound(sent: str) -> None:
    normalized = traces.normalize(sent)
    assert normalized in ("", f"00{sent[2:55]}")
    assert traces.normalize(normalized) == normalized


def test_the_body_belongs_to_the_trace_and_what_comes_after_does_not() -> None:
    with traces.use_traceparent(SOUND):
        assert (traces.current_traceparent(), traces.current_trace_id()) == (SOUND, ID)
        with traces.use_traceparent("nonsense"):
            assert traces.current_trace_id() == ""
        assert traces.current_trace_id() == ID
    assert traces.current_traceparent() == ""


@pytest.mark.anyio
async def test_tasks_side_by_side_are_in_traces_of_their_own() -> None:
    async def enter(traceparent: str) -> str:
        traces.set_current(traceparent)
        await asyncio.sleep(0)
        return traces.current_traceparent()

    others = SOUND.replace("4b", "5c", 1)
    results = await asyncio.gather(enter(SOUND), enter(others), enter(""))
    assert list(results) == [SOUND, others, ""]
    assert traces.current_traceparent() == ""


@pytest.mark.anyio
@pytest.mark.parametrize("work", [Chat("balanced", "hello"), Image("cat")], ids=["chat", "image"])
async def test_a_job_carries_the_trace_in_which_it_is_handed_over(work: Work, store_url: str) -> None:
    store = Store(store_url)

    async def handed_over() -> str:
        answer = new_answer_id()
        await Jobs(store, GatewaySettings()).submit(answer, work, new_token(), create=True)
        return (await read_work(store, answer)).trace

    try:
        assert await handed_over() == ""
        with traces.use_traceparent(SOUND):
            assert await handed_over() == SOUND
    finally:
        await store.close()


def test_without_a_collector_a_span_is_always_the_same_nothing() -> None:
    assert not traces.is_exporting()
    with traces.use_traceparent(SOUND), traces.start_span("turn", "consumer", bing_request="r") as span:
        span.set_attributes(bing_outcome="done")
        span.fail("timeout.first")
        assert traces.current_traceparent() == SOUND
    another: object = traces.start_span("attempt", "client")
    assert span is another
    traces.record_span("queue", 1.0)


def test_without_an_endpoint_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "telemetry.otel", None)
    with capture_logs() as logs, traces.export_spans(None, "worker"):
        assert not traces.is_exporting()
    assert logs == []


def test_without_the_packages_one_sentence_says_so_and_all_else_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "telemetry.otel", None)
    with capture_logs() as logs, traces.export_spans("http://127.0.0.1:1", "worker"):
        assert not traces.is_exporting()
    (line,) = logs
    assert line["event"] == "no traces: OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements/tracing.txt"
