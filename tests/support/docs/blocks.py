"""The blocks of code in the documents."""

import itertools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[3]
# A twin of README.md; what was true of older versions; forms of the forge.
_OTHERS = re.compile(r"README\.zh\.md|CHANGELOG\.md|\.github/.*")
_PACKAGES = re.compile(
    r"^\s*(from|import) (openai|langchain_openai|litellm|llm)\b|^import .* from \"|require\(", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """One block of code.

    `language` is empty where the page names none, `line` is that of its fence, and `printed` the text below it.
    """

    page: str
    line: int
    language: str
    code: str
    printed: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def prints(self, output: str) -> bool:
        """Whether the page shows this output, in which it may write … for anything."""
        parts = (re.escape(part) for part in self.printed.strip().split("…"))
        return re.fullmatch(".*".join(parts), output.strip(), re.DOTALL) is not None

    @property
    def needs_packages(self) -> bool:
        """Whether it is a program that imports packages which only `make external` installs."""
        return self.language in ("python", "js") and _PACKAGES.search(self.code) is not None


def pages() -> list[str]:
    """The paths of all documents, from the root."""
    command = ["git", "ls-files", "--", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [page for page in listed if not _OTHERS.fullmatch(page) and (ROOT / page).exists()]


def blocks(page: str) -> list[Block]:
    """The blocks of one page in their order, indented ones too; directives of the site are none."""
    tokens = MarkdownIt("commonmark").parse((ROOT / page).read_text(encoding="utf-8"))
    found = []
    for token, below in itertools.pairwise([*tokens, Token("", "", 0)]):
        if token.type in ("fence", "code_block") and token.map and not token.info.startswith("{"):
            printed = below.content if below.type == "fence" and below.info == "text" else ""
            found.append(Block(page, token.map[0] + 1, token.info.strip(), token.content, printed))
    return found


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in pages() for block in blocks(page)]
