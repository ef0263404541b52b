"""The load client, a process of its own: `python -m bench.clients.client` reads a plan from stdin and asks.

It writes `full` to stdout when every stream has its first delta, `ebbing` when the first of them ends, and at the end
the outcome as JSON. Everything is measured in the window between the first two.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from functools import partial

from bench.clients.load import LoadOutcome, LoadPlan, LoadRecorder
from bench.clients.spread import spread
from bench.clients.stdio import run_plan, send_line
from bench.clients.stream import Stream, run_within
from bench.clients.transports import TRANSPORTS
from bench.clients.verdict import COMPLETE, UNFINISHED


async def run(plan: LoadPlan, notify: Callable[[str], None]) -> LoadOutcome:
    """Ask all questions and wait for the ends, within the plan's limit."""
    recorder, transport = LoadRecorder(plan, notify), TRANSPORTS[plan.transport]
    streams: list[Stream] = []
    failures: Counter[str] = Counter()

    async def ask(number: int, port: int) -> None:
        await asyncio.sleep(plan.opening * number / plan.streams)
        question = plan.question
        stream = Stream(
            transport, recorder, partial(transport.request, question, plan.target), transport.message(question)
        )
        streams.append(stream)
        try:
            await stream.ask(port)
        except OSError as error:
            streams.remove(stream)
            failures[f"no connection: {error.strerror}"] += 1
            recorder.record_end(opened=False)

    ports = itertools.cycle(plan.ports)
    await run_within(plan.limit, (ask(number, next(ports)) for number in range(plan.streams)))
    return _outcome(recorder, streams, failures)


def _outcome(recorder: LoadRecorder, streams: list[Stream], failures: Counter[str]) -> LoadOutcome:
    plan = recorder.plan
    verdicts = failures + Counter(stream.verdict(plan.deltas) for stream in streams)
    complete = verdicts.pop(COMPLETE, 0)
    verdicts.pop(UNFINISHED, 0)
    return LoadOutcome(
        asked=plan.streams,
        complete=complete,
        incorrect=verdicts.total(),
        unfinished=plan.streams - complete - verdicts.total(),
        wrong=dict(verdicts),
        first_delta_ms=spread(stream.first for stream in streams if stream.first is not None),
        deltas=recorder.deltas,
        window=recorder.window(),
    )


if __name__ == "__main__":
    run_plan(LoadPlan, partial(run, notify=send_line))
