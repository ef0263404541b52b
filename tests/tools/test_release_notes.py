"""A release's notes are its section of the changelog."""

import pytest

from tools.release_notes import CHANGELOG, main, section

TWO = "# Changelog\n\n## Unreleased\n\n## 1.10.0 (2026-11-29)\n\n### Added\n\n- A door.\n\n## 1.1.0\n\n- A house.\n"


@pytest.mark.parametrize(
    ("version", "notes"), [("1.10.0", "### Added\n\n- A door.\n"), ("1.1.0", "- A house.\n")], ids=["dated", "last"]
)
def test_the_notes_are_what_is_below_the_versions_heading(version: str, notes: str) -> None:
    assert section(TWO, version) == notes


@pytest.mark.parametrize("version", ["1.1", "2.0.0", "", "Unreleased"])
def test_a_version_without_a_section_or_with_an_empty_one_is_refused(version: str) -> None:
    with pytest.raises(LookupError, match=f"no section {version}$"):
        section(TWO, version)


def test_the_command_prints_the_notes_of_our_changelog(capsys: pytest.CaptureFixture[str]) -> None:
    main(["0.1.0"])
    assert capsys.readouterr().out == section(CHANGELOG.read_text(encoding="utf-8"), "0.1.0")


def test_the_command_fails_for_a_version_without_notes() -> None:
    with pytest.raises(SystemExit, match=r"has no section 0\.0\.1$"):
        main(["0.0.1"])
