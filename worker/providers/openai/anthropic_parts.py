"""What a client of the Anthropic API sent and a server of the OpenAI API has another form for, or none."""

from collections.abc import Mapping
from typing import Any

_EFFORTS = ((2048, "low"), (8192, "medium"))
_MOST = "high"


def render_block(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block that is neither text nor a picture: a document as text or as a file, any other as a note."""
    source = value.get("source")
    source = source if isinstance(source, dict) and value.get("type") == "document" else {}
    kind, data = source.get("media_type"), source.get("data")
    if isinstance(data, str) and source.get("type") == "text":
        return {"type": "text", "text": data}
    if isinstance(data, str) and isinstance(kind, str) and source.get("type") == "base64":
        title = value.get("title")
        name = title if isinstance(title, str) and title else "document"
        return {"type": "file", "file": {"filename": name, "file_data": f"data:{kind};base64,{data}"}}
    return {"type": "text", "text": f"[{str(value.get('type'))[:64]}]"}


def render_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options without `thinking`, which becomes an effort by its budget where none is asked for."""
    rendered = {name: value for name, value in options.items() if name != "thinking"}
    budget = (options.get("thinking") or {}).get("budget_tokens")
    if isinstance(budget, int):
        rendered.setdefault("reasoning_effort", next((word for most, word in _EFFORTS if budget <= most), _MOST))
    # The highest word of that API is none here.
    if rendered.get("reasoning_effort") == "max":
        rendered["reasoning_effort"] = _MOST
    return rendered
