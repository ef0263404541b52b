"""The examples of gateway/docs/examples.md, and what they print."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "gateway/docs/examples.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVER = "127.0.0.1:5000"
_ANYTHING = "…"


@dataclass(frozen=True)
class Example:
    """One block of code; `printed` is what the page shows below it."""

    language: str
    code: str
    printed: str

    def at(self, url: str) -> str:
        """The code, for the gateway at `url`."""
        assert _SERVER in self.code
        return self.code.replace(_SERVER, url.removeprefix("http://"))

    def prints(self, output: str) -> bool:
        """Whether that is what the page shows."""
        parts = (re.escape(part) for part in self.printed.strip().split(_ANYTHING))
        return re.fullmatch(".*".join(parts), output.strip(), re.DOTALL) is not None

    @property
    def needs_openai(self) -> bool:
        return "from openai import" in self.code


def examples() -> list[Example]:
    """All of them. Each has its output below it."""
    blocks = _BLOCK.findall(PAGE.read_text())
    parsed = []
    for (language, code), (below, printed) in zip(blocks[::2], blocks[1::2], strict=True):
        assert language in ("sh", "python", "js"), language
        assert below == "text", f"no output below {code}"
        parsed.append(Example(language, code, printed))
    return parsed


def named(example: Example) -> str:
    """A name for a test."""
    return re.sub(r"\W+", "-", f"{example.language} {example.code[:60]}")
