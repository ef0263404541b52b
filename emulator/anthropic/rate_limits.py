"""The headers in which the API reports its limits."""

import time

LIMITS = {"requests": 1_000, "tokens": 480_000, "input-tokens": 400_000, "output-tokens": 80_000}


def describe(left: int | None = None, seconds: int = 60) -> dict[str, str]:
    """Return the headers. left: of each limit, all but one if None. seconds: until all is there again."""
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    headers: dict[str, str] = {}
    for name, limit in LIMITS.items():
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(limit - 1 if left is None else left)
        headers[f"anthropic-ratelimit-{name}-reset"] = reset
    return headers
