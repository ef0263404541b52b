"""The page of errors is what the table of errors says."""

from pathlib import Path

from gateway.errors import ERRORS, EXPORT_REASONS, ModelNotFoundError, failure_of
from wire.messages import Failed
from wire.reasons import Reason

PAGE = Path(__file__).parents[2] / "docs" / "api" / "errors.md"
# A failed answer has a sentence of its own; the page has this one, and a link to all of them.
EXAMPLE = Reason.INTERNAL
# What the page has in the gaps of sentences.
FILLED_IN = {
    "shortest": 16,
    "longest": 255,
    "encoding": "gzip",
    "limit": 32768,
    **vars(ModelNotFoundError("gpt-5", ["gpt-4o"])),
}


def documented() -> set[tuple[int, str, str, int]]:
    """Return code, Chinese, English and HTTP status of each row."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    rows = [[cell.strip(" `") for cell in line] for line in lines if line[0].strip().isdecimal()]
    return {(int(code), zh, en, int(status)) for code, zh, en, _, status in rows}


def expected() -> set[tuple[int, str, str, int]]:
    """Return the same for everything that a drop-in endpoint may return."""
    rows = set()
    for reason, spec in ERRORS.items():
        code = spec.legacy_code or spec.status
        if reason not in EXPORT_REASONS and (code != 500 or reason == EXAMPLE):
            zh, en = (text.format_map(FILLED_IN) for text in (spec.zh, spec.en))
            rows.add((code, zh, en, 200 if spec.legacy_code else spec.status))
    brief = Failed(Reason.ACCOUNT_THROTTLED, reset=False, retry_after=90)
    problem, in_english = failure_of(brief), failure_of(brief, english=True)
    return rows | {(problem.code, problem.message, in_english.message, problem.status)}


def test_each_code_has_its_messages_and_its_status_on_the_page() -> None:
    assert documented() == expected()


def test_the_sentences_that_the_text_names_are_in_the_table_of_errors() -> None:
    spec = ERRORS[Reason.ACCOUNT_NONE]
    assert f"`{spec.zh}` (`{spec.en}`)" in PAGE.read_text(encoding="utf-8")
