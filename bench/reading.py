"""What a worker's reading of a model server's chunks costs: `python -m bench.reading`, without a network."""

import json
import sys
import time

from worker.providers.openai.reader import CompletionReader
from worker.providers.openai.stream import CompletionStream

_TEXT = "word"
# Chunks of an answer: a short one, and one of a megabyte.
_COUNTS = (500, 262_144)
_TIMES = 5
_CHUNK = {
    "id": "chatcmpl-0123456789abcdef",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "a-model",
    "system_fingerprint": "fp_0123456789",
}


def encode_chunk(text: str) -> bytes:
    """Return the event of a chunk as most servers send it."""
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    return b"data: " + json.dumps({**_CHUNK, "choices": [choice]}).encode() + b"\n\n"


def measure_reading(count: int) -> tuple[float, int]:
    """Read an answer of that many chunks; return the CPU time of one in µs, and how many characters came of it."""
    stream = CompletionStream()
    reader, chunk, size = CompletionReader(stream), encode_chunk(_TEXT), 0
    begun = time.process_time()
    for _ in range(count):
        reader.feed(chunk)
        size += sum(len(piece.text) for piece in stream.take())
    return (time.process_time() - begun) / count * 1e6, size


def main() -> int:
    """Print the least cost of a chunk for each length of an answer; 0 if every character was read."""
    complete, costs = True, {}
    for count in _COUNTS:
        runs = [measure_reading(count) for _ in range(_TIMES)]
        complete = complete and all(size == count * len(_TEXT) for _, size in runs)
        costs[count] = round(min(cost for cost, _ in runs), 2)
    print(json.dumps({"cpu_us_per_chunk": costs, "complete": complete}))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
