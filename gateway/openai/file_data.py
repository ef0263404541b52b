"""The contents of files in messages. Pure: InvalidRequestError for one that would take far more memory than it has."""

from collections.abc import Mapping
from typing import Any

from gateway.openai.errors import InvalidRequestError
from gateway.openai.picture_urls import BASE64, LONGEST_HEAD

# The types of parts that contain a file.
_KINDS = frozenset({"file", "input_file"})
# Characters of a content that isn't in base64: each byte may be an escape that has to be looked at by itself.
MAX_ESCAPED = 64 * 1024


def check_file(part: Mapping[str, Any], param: str) -> None:
    """Raise InvalidRequestError for a file in a long `data:` URL that isn't in base64. Other parts pass.

    What a file's base64 says is for its server to judge.
    """
    if part.get("type") not in _KINDS:
        return
    _check_data(part.get("file_data"), f"{param}.file_data")
    inner = part.get("file")
    if isinstance(inner, dict):
        _check_data(inner.get("file_data"), f"{param}.file.file_data")


def _check_data(data: object, param: str) -> None:
    if not isinstance(data, str) or data[:5].lower() != "data:":
        return
    end = data.find(",", 0, LONGEST_HEAD)
    if end >= 0 and (data[:end].lower().endswith(BASE64) or len(data) - end <= MAX_ESCAPED):
        return
    raise InvalidRequestError(f"'{param}' isn't base64: data:application/pdf;base64,…", param, "invalid_base64")
