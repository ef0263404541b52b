"""Other people's clients of the OpenAI API, each as a process of one of the scripts in clients/."""

import json
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.processes import ROOT

STYLE = "balanced"
MODEL = f"bing-{STYLE}"
# Seconds that a job may take, far above what any does: some agents never give up.
LIMIT = 100.0


@dataclass(frozen=True)
class Errors:
    """What a client calls what goes wrong."""

    unknown_model: str = "NotFoundError"
    wrong_key: str = "AuthenticationError"
    failed: str = "InternalServerError"
    broken_off: str = "APIError"
    throttled: str = "RateLimitError"


_LANGCHAIN = Errors(
    "OpenAIModelNotFoundError", "OpenAIAuthenticationError", "OpenAIAPIError", "APIError", "OpenAIRateLimitError"
)
ERRORS = {
    "openai": Errors(),
    "openai-node": Errors(),
    "litellm": Errors(broken_off="MidStreamFallbackError"),
    "langchain": _LANGCHAIN,
    "ai-sdk": Errors("APICallError", "APICallError", "RetryError", "error part", "RetryError"),
    "llm": Errors(*["exit status 1"] * 5),
}
# The script of each, for a Python or for Node.
SCRIPTS = {
    "openai": "openai_client",
    "openai-node": "clients/openai_client.mjs",
    "litellm": "litellm_client",
    "langchain": "langchain_client",
    "ai-sdk": "clients/ai_client.mjs",
    "llm": "llm_client",
}


class Client:
    """A running script of clients/. errors: what it calls what goes wrong."""

    def __init__(self, process: "subprocess.Popen[str]", errors: Errors) -> None:
        self.errors = errors
        self._process = process

    def do(self, do: str, url: str, **job: Any) -> dict[str, Any]:
        """What came of a job; see clients/jobs.py."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "url": f"{url}/v1", "model": MODEL, **job}) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], LIMIT)[0]:
            self._process.kill()
            raise AssertionError(f"the program did not end within {LIMIT} s")
        outcome: dict[str, Any] = json.loads(self._process.stdout.readline())
        return outcome

    @property
    def is_running(self) -> bool:
        """Return whether it can do another job."""
        return self._process.poll() is None


@contextmanager
def client(
    script: str, program: str, environment: dict[str, str], errors: Errors = ERRORS["openai"]
) -> Iterator[Client]:
    """A script, run by `program`: a module of clients/ by a Python, an .mjs, below tests/external, by Node."""
    module = [f"tests/external/{script}"] if script.endswith(".mjs") else ["-m", f"tests.external.clients.{script}"]
    with subprocess.Popen(
        [program, *module], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Client(process, errors)
        finally:
            process.kill()


def messages_of(*texts: str) -> list[dict[str, str]]:
    """Questions and answers by turns, as messages."""
    return [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)]
