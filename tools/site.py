"""Build the site of documents in English and Chinese: `python -m tools.site`, which `make docs` runs."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs"
ARCHIVE = ROOT / "gateway" / "docs" / "site.zip"
LANGUAGES = {"en": "en", "zh": "zh_CN"}
# What a reader's browser doesn't ask for.
_UNUSED = ("*.map", "objects.inv", ".buildinfo", "*LICENSE*")
# The same pages make the same archive.
_TIME = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    """Build both languages and pack them for the gateway."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        for name, language in LANGUAGES.items():
            build(built / name, language)
        pack(built, ARCHIVE)
    sys.stdout.write(
        f"{ARCHIVE.relative_to(ROOT)} is there: gateways that start now serve it at /docs/en/ and /docs/zh/\n"
    )


def build(folder: Path, language: str) -> None:
    """Write the site in a language, `en` or `zh_CN`, into a folder. CalledProcessError at any warning."""
    with tempfile.TemporaryDirectory() as doctrees:
        _sphinx("html", doctrees, folder, "-D", f"language={language}")
    for pattern in _UNUSED:
        for path in folder.rglob(pattern):
            path.unlink()


def extract_messages(folder: Path) -> None:
    """Write a catalogue of the English sentences of each page into a folder, for translators."""
    with tempfile.TemporaryDirectory() as doctrees:
        _sphinx("gettext", doctrees, folder)


def pack(folder: Path, archive: Path) -> None:
    """Put all files of a folder into a zip archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            file.writestr(
                zipfile.ZipInfo(path.relative_to(folder).as_posix(), _TIME), path.read_bytes(), zipfile.ZIP_DEFLATED
            )


def _sphinx(builder: str, doctrees: str, folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", builder]
    subprocess.run([*command, "--doctree-dir", doctrees, *options, str(SOURCE), str(folder)], check=True)


if __name__ == "__main__":
    main()
