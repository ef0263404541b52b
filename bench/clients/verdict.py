"""Whether an answer arrived complete and correct."""

import json
import re
from collections.abc import Iterable, Sequence

COMPLETE = "complete"
UNFINISHED = "unfinished"

# Each piece of an answer contains the time at which it was made, in nanoseconds of Unix time.
STAMP = re.compile(rb" t=(\d{19})")
# Part of the last event only: the texts contain no quotation marks.
LAST = b'"done": true'

_DATA = b"data: "


def payloads(events: Iterable[bytes]) -> list[bytes]:
    """Return the JSON of each event, which may have an id too; a ping has none. A socket's message is JSON."""
    parts = (event if event.startswith(b"{") else event.partition(_DATA)[2].partition(b"\n")[0] for event in events)
    return [part for part in parts if part]


def judge(status: int, events: Sequence[bytes], rest: bytes, pieces: int) -> str:
    """Return COMPLETE, UNFINISHED, or a few words on what is wrong.

    events, rest: as HttpResponse returned them. pieces: how many stamped pieces the answer must have.
    """
    if status == 0:
        return UNFINISHED
    try:
        bodies = payloads(events)
        if status != 200 or not bodies:
            return _judge_refusal(status, rest)
        frames = [json.loads(body) for body in bodies]
        errors = [frame for frame in frames if frame["code"] != 200]
        if errors:
            return f"{errors[0]['code']} {errors[0]['message']}"
        return _judge_frames([frame["data"] for frame in frames], pieces)
    except (ValueError, KeyError, TypeError):
        return "not the frames of an answer"


def judge_chunks(status: int, events: Sequence[bytes], rest: bytes, pieces: int) -> str:
    """Judge an answer in OpenAI's chunks, between which comments may be; see judge."""
    if status == 0:
        return UNFINISHED
    if status != 200:
        return f"{status} {rest[:80].decode(errors='replace')}"
    if not events or events[-1].strip() != b"data: [DONE]":
        return UNFINISHED
    try:
        data = [event.strip() for event in events[:-1] if not event.startswith(b":")]
        chunks = [json.loads(event.removeprefix(_DATA)) for event in data]
        text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    except (ValueError, KeyError, TypeError):
        return "not the chunks of an answer"
    return _count_pieces(text, pieces)


def _judge_refusal(status: int, body: bytes) -> str:
    if not body:
        return UNFINISHED
    error = json.loads(body)
    return f"{status} {error['code']} {error['message']}"


def _judge_frames(frames: Sequence[dict[str, object]], pieces: int) -> str:
    done = [frame["done"] for frame in frames]
    if True not in done:
        return UNFINISHED
    if done.index(True) != len(done) - 1:
        return "more after the last frame"
    text = str(frames[-1]["answer"])
    if "".join(str(frame["answer"]) for frame in frames[:-1]) != text:
        return "the deltas don't add up to the answer"
    return _count_pieces(text, pieces)


def _count_pieces(text: str, pieces: int) -> str:
    count = len(STAMP.findall(text.encode()))
    return COMPLETE if count == pieces else f"{count} pieces instead of {pieces}"
