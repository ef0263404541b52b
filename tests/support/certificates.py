"""Certificates that tests make for themselves."""

import subprocess
from pathlib import Path

from tests.support.prerequisites import unavailable


def write_certificate(certificate: Path, key: Path, name: str, *others: str) -> None:
    """Write a certificate of a name, and of others such as `IP:127.0.0.1`, that signs itself, and its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ",".join([f"DNS:{name}", *others])
    options = ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"]
    try:
        subprocess.run(
            [*command, *options, "-out", str(certificate), "-keyout", str(key)],
            check=True,
            capture_output=True,
            timeout=60,
        )
    except FileNotFoundError:
        unavailable("openssl")
