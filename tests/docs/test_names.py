"""What a document names in code font exists: settings, metrics, reasons, endpoints, commands and their options."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.test_docs import rows
from wire.reasons import Reason
from worker.accounts.alerts import EVENTS

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "README.zh.md", "cookies/README.md", "gateway/docs/examples.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "reference"),
]
_FENCED = re.compile(r"^(```|~~~)(\w*)\n(.*?)^\1", re.MULTILINE | re.DOTALL)
# Packages are not reasons.
_KINDS = {reason.split(".")[0] for reason in Reason} - {"gateway", "worker"}
_REASON = re.compile(rf"(?:{'|'.join(_KINDS)})\.[a-z]+")
_SETTING = re.compile(r"[A-Z]+(?:_[A-Z]+)+(?==|$)")
_PATH = re.compile(r"(?:(?:GET|HEAD|POST|DELETE|OPTIONS) )?(/[^\s?#`]*)")
_HERE = re.compile(r"127\.0\.0\.1:5000(/[^\s?#'\"`]*)")
# A command of ours, and how it is called.
_COMMAND = re.compile(r"(?:bing-chat-gateway|-m (?:bing_chat_gateway|worker))((?: +[^\s`|&;<>()#'\"]+)+)")
# Variables of other programs.
_FOREIGN_SETTING = re.compile(
    r"(?:OTEL|OLLAMA|VLLM|LITELLM|HTTPS?|NO|COMPOSE|DOCKER|CLINE|CLAUDE_CODE|ANTHROPIC|DISABLE)_"
    r"|(?:BING_CHAT_KEY|GATEWAY_KEY|OPENAI_API_BASE)$"
)
# Paths of files, of the emulator's controls, of Prometheus and of model servers, and what stays of a path without its
# beginning or is not documented: files of pages.
_FOREIGN_PATH = re.compile(
    r"/(?:app|data|dev|etc|home|opt|proc|run|srv|sys|tmp|usr|var)(?:/|$)"
    r"|/_|/(?:alerts|chat/completions|messages|models|images|images/generations|stream|page/.*)$"
)


def fenced(document: Path, *languages: str) -> str:
    """The blocks of code of a document that are in one of these languages."""
    blocks = _FENCED.findall(document.read_text(encoding="utf-8"))
    return "\n".join(text for _, language, text in blocks if language in languages)


def inline(document: Path) -> list[str]:
    """What a document has in code font within its text."""
    return re.findall(r"`([^`\n]+)`", _FENCED.sub("", document.read_text(encoding="utf-8")))


def in_reference(*pages: str) -> set[str]:
    """What the first cells of the reference's tables name."""
    return {
        name for page in pages for row in rows(f"docs/reference/{page}.md") for name in re.findall(r"`([^`]+)`", row[0])
    }


def settings(document: Path) -> Iterator[str]:
    """The settings that a document names, or that a command in it sets."""
    for code in inline(document):
        if match := _SETTING.match(code):
            yield match[0]
    yield from re.findall(r"(?:^|\s)([A-Z]+(?:_[A-Z]+)+)=", fenced(document, "sh", "ini", "yaml"))


def metrics(document: Path) -> Iterator[str]:
    """The metrics that a document names, without the endings of a histogram's series."""
    for code in [*inline(document), fenced(document, "sh", "yaml", "promql")]:
        yield from (
            re.sub(r"_(?:bucket|sum|count)$", "", name)
            for name in re.findall(r"\bbing_(?!chat_gateway)[a-z_]*[a-z]\b", code)
        )


def reasons(document: Path) -> Iterator[str]:
    """The reasons that a document names."""
    return (code for code in inline(document) if _REASON.fullmatch(code))


NAMES: dict[str, Callable[[Path], Iterator[str]]] = {"settings": settings, "metrics": metrics, "reasons": reasons}


def commands(document: Path) -> Iterator[list[str]]:
    """The words behind each of our commands that a document names or calls."""
    short = (f"bing-chat-gateway {code}" for code in inline(document) if code.startswith(("accounts ", "keys ")))
    calls = fenced(document, "sh").replace("\\\n", " ")
    for text in [*inline(document), *short, calls]:
        yield from (words.split() for words in _COMMAND.findall(text))


def documented_options() -> dict[tuple[str, ...], set[str]]:
    """The options of each command in the reference."""
    program = "bing-chat-gateway "
    usages = [cell.removeprefix(program) for cell in in_reference("commands") if cell.startswith(program)]
    names = {usage: re.match(r"[a-z]+(?: [a-z]+)*(?= |$)", usage) for usage in usages}
    return {tuple(name[0].split()): set(re.findall(r"--[\w-]+", usage)) for usage, name in names.items() if name}


def mistake_in(words: list[str], known: dict[tuple[str, ...], set[str]]) -> str:
    """Return what of a command isn't in the reference, or nothing."""
    found = [tuple(words[:length]) for length in range(1, len(words) + 1) if tuple(words[:length]) in known]
    options = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help", "--version"}
    if found:
        return ", ".join(sorted(options - known[found[-1]]))
    first = [word for word in words if re.fullmatch(r"[a-z]+", word)]
    groups = {name[: len(first)] for name in known}
    return "" if tuple(first) in groups and not options else " ".join(words)


def exists(path: str, known: set[str]) -> bool:
    """Return whether a path is in the reference, or the beginning of one that is. `…` is any rest, `{…}` any name."""
    named = ["*" if part[:1] in {"{", "<", "$"} else part for part in path.partition("…")[0].strip("/").split("/")]
    others = (re.sub(r"\{\w+\}", "*", other).strip("/").split("/") for other in known)
    return any(
        len(named) <= len(other) and all("*" in pair or pair[0] == pair[1] for pair in zip(named, other, strict=False))
        for other in others
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.parametrize("page", NAMES)
def test_what_a_document_names_is_in_the_reference(document: Path, page: str) -> None:
    compose = set(re.findall(r"[A-Z]+_[A-Z_]+", (ROOT / "docker-compose.yml").read_text()))
    known = {*in_reference(page), *compose, *EVENTS}
    assert {name for name in NAMES[page](document) if name not in known and not _FOREIGN_SETTING.match(name)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_endpoint_that_a_document_names_is_in_the_reference(document: Path) -> None:
    known = {path for path in in_reference("endpoints") if path.startswith("/")}
    named = [match[1] for code in inline(document) if (match := _PATH.match(code))]
    named += _HERE.findall(document.read_text(encoding="utf-8"))
    assert {path for path in named if not _FOREIGN_PATH.match(path) and not exists(path, known)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_a_document_names_is_in_the_reference(document: Path) -> None:
    known = documented_options()
    assert [mistake for words in commands(document) if (mistake := mistake_in(words, known))] == []


def test_the_documents_name_enough_to_be_held_by_the_reference() -> None:
    assert len({tuple(words) for document in DOCUMENTS for words in commands(document)}) > 10
    for names in NAMES.values():
        assert len({name for document in DOCUMENTS for name in names(document)}) > 10
