"""Reads one stream with a library and prints one JSON object a line, for each event, and {"over": true} at the end.

python sse_client.py LIBRARY URL. What a library or json.loads raises ends the script with a failure.
"""

import asyncio
import json
import sys
import urllib.request
from collections.abc import Iterator

EVENTS = {"accept": "text/event-stream"}


def show(line: dict[str, object]) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def take(data: str) -> bool:
    """Print a frame's data; whether it was the last one."""
    frame = json.loads(data)["data"]
    show(frame)
    return bool(frame["done"])


def naive_lines(url: str, headers: dict[str, str]) -> None:
    """Every line of data is a frame."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        for line in response:
            if line.startswith(b"data: ") and take(line[6:].decode()):
                return


def naive_blocks(url: str) -> None:
    """Every block is the data of a frame, whatever it begins with."""
    with urllib.request.urlopen(url) as response:
        for block in blocks(response):
            if take(block.removeprefix("data: ")):
                return


def blocks(response: Iterator[bytes]) -> Iterator[str]:
    """What is between empty lines."""
    lines: list[str] = []
    for line in response:
        if line == b"\n":
            yield "".join(lines)
            lines = []
        else:
            lines.append(line.decode())


def by_httpx_sse(url: str) -> None:
    """Come back by hand, as its documentation has it."""
    import httpx
    from httpx_sse import connect_sse

    last = ""
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        try:
            with httpx.Client() as client, connect_sse(client, "GET", url, headers=headers) as source:
                for event in source.iter_sse():
                    done, last = take(event.data), event.id
                    if done:
                        return
        except httpx.TransportError:
            continue


async def by_aiohttp_sse_client2(url: str) -> None:
    """It comes back by itself, except within a stream that is cut."""
    import aiohttp
    from aiohttp_sse_client2.client import EventSource

    last = ""
    while True:
        try:
            async with EventSource(url, headers={"Last-Event-ID": last} if last else {}) as source:
                async for event in source:
                    done, last = take(event.data), event.last_event_id
                    if done:
                        return
        except (aiohttp.ClientError, ConnectionError):
            continue


def by_openai(url: str, headers: dict[str, str]) -> None:
    """Stream a completion."""
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key="none", max_retries=0, default_headers=headers)
    stream = client.chat.completions.create(
        model="bing-balanced", messages=[{"role": "user", "content": "slow"}], stream=True
    )
    for chunk in stream:
        show({"answer": chunk.choices[0].delta.content or "", "done": False})


def main(library: str, url: str) -> None:
    """Read the stream."""
    {
        "naive lines": lambda: naive_lines(url, {}),
        "naive lines with Accept": lambda: naive_lines(url, EVENTS),
        "naive blocks": lambda: naive_blocks(url),
        "httpx-sse": lambda: by_httpx_sse(url),
        "aiohttp-sse-client2": lambda: asyncio.run(by_aiohttp_sse_client2(url)),
        "openai": lambda: by_openai(url, {}),
        "openai with Accept": lambda: by_openai(url, EVENTS),
    }[library]()
    show({"over": True})


if __name__ == "__main__":
    main(*sys.argv[1:])
