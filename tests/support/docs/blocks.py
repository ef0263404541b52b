"""The blocks of code in the documents."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[3]
# A twin of README.md; what was true of older versions; forms of the forge.
_OTHERS = re.compile(r"README\.zh\.md|CHANGELOG\.md|\.github/.*")
_PACKAGES = {
    "sh": re.compile(r"^llm ", re.MULTILINE),
    "python": re.compile(r"^\s*(from|import) (openai|anthropic|langchain_openai|litellm|agents)\b", re.MULTILINE),
    "js": re.compile(r"^import .* from \"", re.MULTILINE),
}
_FILE = re.compile(r"`((?:[\w.-]*/)*[\w.-]*\.(?:ya?ml|toml|conf|env|service|key))`")


@dataclass(frozen=True)
class Block:
    """One block of code.

    `language` is empty where the page names none, `line` is that of its fence, `printed` the text below it, and
    `file` the name of a file that the paragraph above mentions.
    """

    page: str
    line: int
    language: str
    code: str
    printed: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def prints(self, output: str) -> bool:
        """Whether the page shows this output, in which it may write … for anything."""
        parts = (re.escape(part) for part in self.printed.strip().split("…"))
        return re.fullmatch(".*".join(parts), output.strip(), re.DOTALL) is not None

    @property
    def needs_packages(self) -> bool:
        """Whether it runs programs or imports packages that only `make external` installs."""
        return self.language in _PACKAGES and _PACKAGES[self.language].search(self.code) is not None


def pages() -> list[str]:
    """The paths of all documents, from the root."""
    command = ["git", "ls-files", "--", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [page for page in listed if not _OTHERS.fullmatch(page) and (ROOT / page).exists()]


def blocks(page: str) -> list[Block]:
    """The blocks of one page in their order, indented ones too; directives of the site are none."""
    tokens = MarkdownIt("commonmark").parse((ROOT / page).read_text(encoding="utf-8"))
    found = []
    for at, token in enumerate(tokens):
        if token.type in ("fence", "code_block") and token.map and not token.info.startswith("{"):
            language, line = token.info.strip(), token.map[0] + 1
            found.append(Block(page, line, language, token.content, _printed(tokens[at + 1 :]), _file(tokens[:at])))
    return found


def _printed(below: Sequence[Token]) -> str:
    return below[0].content if below and below[0].type == "fence" and below[0].info == "text" else ""


def _file(above: Sequence[Token]) -> str:
    names = _FILE.findall(above[-2].content) if len(above) > 1 and above[-2].type == "inline" else []
    return str(names[0]) if names else ""


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in pages() for block in blocks(page)]
