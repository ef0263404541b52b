"""The tokens of answers, as servers counted them: for the worker's metrics, and by the minute for the console."""

from collections import Counter

from wire.messages import Usage

# How many names of models, accounts and keys are distinguished.
_MOST_NAMES = 500
_KEY = "key:"
_OTHER = "other"


class TokenTally:
    """Counters of tokens.

    `kinds` counts by account, model and kind: input, cached and cache_written (of the input), output, and reasoning (of
    the output). `totals` counts input and output together by `tokens:model:…`, `tokens:account:…` and `tokens:key:…`.
    """

    def __init__(self) -> None:
        self.kinds: Counter[tuple[str, str, str]] = Counter()
        self.totals: Counter[str] = Counter()

    def add(self, usage: Usage, *, account: str, model: str, client: str) -> None:
        """Count an answer's tokens; those of a client without an API key have no name."""
        for kind, tokens in _kinds(usage).items():
            if tokens:
                self.kinds[self._known_kind(account, model, kind)] += tokens
        names = [f"model:{model}", f"account:{account}", *([client] if client.startswith(_KEY) else [])]
        for name in names:
            self.totals[self._known_total(f"tokens:{name}")] += usage.prompt + usage.completion

    def _known_kind(self, account: str, model: str, kind: str) -> tuple[str, str, str]:
        name = account, model, kind
        return name if name in self.kinds or len(self.kinds) < _MOST_NAMES else (account, _OTHER, kind)

    def _known_total(self, name: str) -> str:
        if name in self.totals or len(self.totals) < _MOST_NAMES:
            return name
        _, of, _ = name.split(":", 2)
        return f"tokens:{of}:{_OTHER}"


def _kinds(usage: Usage) -> dict[str, int]:
    return {
        "input": usage.prompt,
        "cached": usage.cached,
        "cache_written": usage.cache_written,
        "output": usage.completion,
        "reasoning": usage.reasoning,
    }
