"""Whether an answer arrived whole and true."""

import json
import re
from collections.abc import Sequence

COMPLETE = "complete"
UNFINISHED = "unfinished"

# Each piece of an answer holds the time of its making in nanoseconds of Unix time.
STAMP = re.compile(rb" t=(\d{19})")
# Part of the last event only: the texts hold no quotation marks.
LAST = b'"done": true'


def judge(status: int, events: Sequence[bytes], rest: bytes, pieces: int) -> str:
    """COMPLETE, UNFINISHED, or a few words on what is wrong.

    events, rest: as sse.Response gave them. pieces: how many stamped pieces the answer must have.
    """
    if status == 0:
        return UNFINISHED
    try:
        if status != 200 or not events:
            return _refusal(status, rest)
        payloads = [json.loads(event.removeprefix(b"data: ")) for event in events]
        wrong = [payload for payload in payloads if payload["code"] != 200]
        if wrong:
            return f"{wrong[0]['code']} {wrong[0]['message']}"
        return _compare([payload["data"] for payload in payloads], pieces)
    except (ValueError, KeyError, TypeError):
        return "not the frames of an answer"


def judge_chunks(status: int, events: Sequence[bytes], rest: bytes, pieces: int) -> str:
    """The same of an answer in OpenAI's chunks."""
    if status == 0:
        return UNFINISHED
    if status != 200:
        return f"{status} {rest[:80].decode(errors='replace')}"
    if not events or events[-1].strip() != b"data: [DONE]":
        return UNFINISHED
    try:
        chunks = [json.loads(event.strip().removeprefix(b"data: ")) for event in events[:-1]]
        text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    except (ValueError, KeyError, TypeError):
        return "not the chunks of an answer"
    return _counted(text, pieces)


def _refusal(status: int, body: bytes) -> str:
    if not body:
        return UNFINISHED
    told = json.loads(body)
    return f"{status} {told['code']} {told['message']}"


def _compare(frames: Sequence[dict[str, object]], pieces: int) -> str:
    ends = [frame["done"] for frame in frames]
    if True not in ends:
        return UNFINISHED
    if ends.index(True) != len(ends) - 1:
        return "more after the last frame"
    text = str(frames[-1]["answer"])
    if "".join(str(frame["answer"]) for frame in frames[:-1]) != text:
        return "the deltas don't add up to the answer"
    return _counted(text, pieces)


def _counted(text: str, pieces: int) -> str:
    found = len(STAMP.findall(text.encode()))
    return COMPLETE if found == pieces else f"{found} pieces instead of {pieces}"
