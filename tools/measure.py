"""Measure the page in Chromium, by the browser's own tracing: `python -m tools.measure`.

First paint with a CPU that is four times slower, and the frames of an answer of 100 kB that streams below a history of
200 exchanges. It prints what it found, and judges nothing: that is for a machine that does nothing else.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.support.browser.answers import ANSWERS
from tests.support.browser.chat_page import Visitor
from tests.support.browser.chromium import chromium
from tests.support.processes import deployment

SLOWER = 4
LONG_FRAME = 50.0
HISTORY = 200
LIMIT = 120_000
# Straight into the browser's store: the page takes it up when it is loaded again.
FILL = """async ([count, text]) => {
  const opened = indexedDB.open("chat");
  const database = await new Promise((done) => { opened.onsuccess = () => done(opened.result); });
  const change = database.transaction(["conversations", "exchanges"], "readwrite");
  change.objectStore("conversations").put(
    {id: "c".repeat(32), title: "A long history", created: 1, updated: 1, token: null, style: "balanced"});
  for (let number = 0; number < count; number += 1) {
    change.objectStore("exchanges").put({
      id: String(number).padStart(32, "0"), conversation: "c".repeat(32), created: number, kind: "chat",
      style: "balanced", question: `Question ${number}`, token: null, given: null, key: "k", answer: null,
      state: "done", text, urls: [],
      images: [], suggestions: [], turns: null, reset: false, error: null});
  }
  await new Promise((done) => { change.oncomplete = done; });
}"""
FRAMES = """() => {
  window.frames_seen = [];
  let last = performance.now();
  const tick = (now) => { window.frames_seen.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


@contextmanager
def traced(session: CDPSession) -> Iterator[list[dict[str, Any]]]:
    """Trace what the browser does during the body; the events are there afterwards."""
    events: list[dict[str, Any]] = []
    ended: list[bool] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: ended.append(True))
    session.send("Tracing.start", {"categories": "toplevel,devtools.timeline", "transferMode": "ReportEvents"})
    yield events
    session.send("Tracing.end")
    while not ended:
        session.send("Browser.getVersion")


def tasks(events: list[dict[str, Any]]) -> list[float]:
    """How long each task of the page's main thread took, in milliseconds."""
    main = {(event["pid"], event["tid"]) for event in events if event["name"] == "BeginMainThreadFrame"}
    main |= {(event["pid"], event["tid"]) for event in events if event["name"] == "UpdateLayoutTree"}
    return [
        event["dur"] / 1000
        for event in events
        if event["name"].endswith("RunTask") and "dur" in event and (event["pid"], event["tid"]) in main
    ]


def first_paint(browser: Browser, url: str) -> dict[str, float]:
    """When the page first shows something, and when it can be used, in milliseconds."""
    with browser.new_context() as context:
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        visitor = Visitor(page)
        visitor.open(url)
        visitor.sees("performance.getEntriesByName('first-contentful-paint').length")
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        return {"first paint": painted, "usable": page.evaluate("performance.getEntriesByName('usable')[0].startTime")}


def streaming(browser: Browser, url: str, rate: int) -> dict[str, float]:
    """Measure the frames of a long answer below a long history."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        visitor = Visitor(page)
        visitor.open(url)
        page.evaluate(FILL, [HISTORY, ANSWERS["rich"].text])
        page.goto(f"{url}/#{'c' * 32}")
        visitor.reload()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
        with traced(session) as events:
            page.evaluate(FRAMES)
            visitor.ask("play: long")
            page.wait_for_selector("#stop", state="hidden", timeout=LIMIT)
        return {"characters": len(visitor.text.text_content() or ""), **spread(page, tasks(events))}


def spread(page: Page, busy: list[float]) -> dict[str, float]:
    """Return the spread of the frame times, in milliseconds."""
    frames: list[float] = page.evaluate("window.frames_seen")
    return {
        "frames": len(frames),
        "frames under 50 ms, %": 100 * sum(frame < LONG_FRAME for frame in frames) / len(frames),
        "99th percentile of frames, ms": sorted(frames)[int(len(frames) * 0.99)],
        "longest frame, ms": max(frames),
        "tasks": len(busy),
        "tasks under 50 ms, %": 100 * sum(task < LONG_FRAME for task in busy) / len(busy),
        "longest task, ms": max(busy),
    }


def measured(url: str) -> dict[str, dict[str, float]]:
    """All figures of the page at `url`."""
    with chromium() as browser:
        return {
            f"first paint, CPU {SLOWER} times slower": first_paint(browser, url),
            "100 kB streaming below 200 exchanges": streaming(browser, url, 1),
            f"the same, CPU {SLOWER} times slower": streaming(browser, url, SLOWER),
        }


def main() -> None:
    """Start a system, measure, print."""
    settings = {"PROVIDER": "tests.support.browser.replay_provider:Upstream"}
    with tempfile.TemporaryDirectory() as folder, deployment(Path(folder), None, settings=settings) as running:
        for title, figures in measured(running.url).items():
            sys.stdout.write(f"{title}: {json.dumps({name: round(value, 1) for name, value in figures.items()})}\n")


if __name__ == "__main__":
    main()
