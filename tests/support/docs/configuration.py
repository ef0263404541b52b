"""Reads the files in the documents with the programs that they are for."""

import configparser
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from tests.support.docs.compose_file import Loader
from tests.support.prerequisites import find_program
from worker.accounts.config import parse_config
from worker.providers.registry import server_providers


def _check_json(code: str, _: Path) -> None:
    """JSON, in which a page may write … for a value that is left out, or one document a line."""
    code = re.sub(r"(?<=[\[:,]) ?…(?=[,\]}])", " null", code)
    code = re.sub(r",\s*…(?=\s*[}\]])", "", code)
    try:
        json.loads(code)
    except json.JSONDecodeError:
        for line in code.splitlines():
            json.loads(line)


def _check_toml(code: str, _: Path) -> None:
    parsed = tomllib.loads(code)
    if "accounts" in parsed:
        assert parse_config(code.encode(), server_providers()).problems == ()


def _check_yaml(code: str, folder: Path) -> None:
    (document,) = yaml.load_all(code, Loader)
    assert document
    if "scrape_configs" in document:
        (folder / "prometheus.yml").write_text(code)
        _run(find_program("promtool"), "check", "config", f"{folder}/prometheus.yml")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _check_ini(code: str, _: Path) -> None:
    """Sections of a file of systemd and the like, or lines of a file of settings."""
    parser = configparser.ConfigParser(strict=False, delimiters="=", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    sections = code if code.lstrip("#\n ").startswith("[") or "\n[" in code else f"[settings]\n{code}"
    parser.read_string(sections)
    assert any(parser[section] for section in parser.sections())


def _check_nginx(code: str, folder: Path) -> None:
    """A part of nginx's configuration, in the part that it belongs to."""
    code = _with_certificates(code, folder)
    if not re.search(r"^\s*http\s*{", code, re.MULTILINE):
        if not re.search(r"^\s*(server|upstream|map|limit_req_zone)\b.*{?", code, re.MULTILINE):
            code = f"server {{\n{code}\n}}"
        code = f"http {{\n{code}\n}}"
    if "events" not in code:
        code = f"events {{}}\n{code}"
    (folder / "nginx.conf").write_text(f"pid {folder}/nginx.pid;\n{code}")
    _run(find_program("nginx"), "-t", "-e", "stderr", "-p", f"{folder}", "-c", f"{folder}/nginx.conf")


def _with_certificates(code: str, folder: Path) -> str:
    """Return the configuration with a certificate of the test's own for those that it names."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if "ssl_certificate" in code:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", f"{key}", "-out", f"{certificate}", "-subj", "/CN=example.org", "-days", "1"]
        subprocess.run(command, check=True, capture_output=True)
    code = re.sub(r"(ssl_certificate|ssl_trusted_certificate) [^;]+;", rf"\1 {certificate};", code)
    return re.sub(r"ssl_certificate_key [^;]+;", f"ssl_certificate_key {key};", code)


def _accept(code: str, _: Path) -> None:
    """Output; it is only to be there."""
    assert code.strip()


CHECKS: Mapping[str, Callable[[str, Path], None]] = {
    "json": _check_json,
    "toml": _check_toml,
    "yaml": _check_yaml,
    "ini": _check_ini,
    "properties": _check_ini,
    "nginx": _check_nginx,
    "text": _accept,
}
