"""The tokens of answers, as servers counted them: for the worker's metrics, and by the minute for the console."""

from collections import Counter

from wire.messages import Usage

# How many accounts and keys are distinguished, and models of each account: a server may have very many names.
_MOST_NAMES, _MOST_MODELS = 500, 150
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
        self._accounts: set[str] = set()
        self._clients: set[str] = set()
        self._models: dict[str, set[str]] = {}

    def add(self, usage: Usage, *, account: str, model: str, client: str) -> None:
        """Count an answer's tokens; those of a client without an API key have no name."""
        account = _distinguish(account, self._accounts, _MOST_NAMES)
        model = _distinguish(model, self._models.setdefault(account, set()), _MOST_MODELS)
        for kind, tokens in _kinds(usage).items():
            if tokens:
                self.kinds[account, model, kind] += tokens
        names = [f"model:{model}", f"account:{account}"]
        if client.startswith(_KEY):
            names.append(_KEY + _distinguish(client.removeprefix(_KEY), self._clients, _MOST_NAMES))
        for name in names:
            self.totals[f"tokens:{name}"] += usage.prompt + usage.completion


def _distinguish(name: str, known: set[str], most: int) -> str:
    """Return the name, or `other` where `most` others are known already."""
    if name not in known and len(known) >= most:
        return _OTHER
    known.add(name)
    return name


def _kinds(usage: Usage) -> dict[str, int]:
    return {
        "input": usage.prompt,
        "cached": usage.cached,
        "cache_written": usage.cache_written,
        "output": usage.completion,
        "reasoning": usage.reasoning,
    }
