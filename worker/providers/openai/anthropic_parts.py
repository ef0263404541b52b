"""What a client of the Anthropic API sent and a server of the OpenAI API has another form for, or none."""

from collections.abc import Mapping
from typing import Any

_EFFORTS = ((2048, "low"), (8192, "medium"))
_MOST = "high"


def render_block(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block that is neither text nor a picture: as its text, as a file, or as a note in its place."""
    given = value.get("source")
    source = given if isinstance(given, dict) and value.get("type") == "document" else {}
    content = value.get("content") if value.get("type") == "search_result" else source.get("content")
    if text := _join_texts(content):
        return {"type": "text", "text": text}
    kind, data = source.get("media_type"), source.get("data")
    if isinstance(data, str) and source.get("type") == "text":
        return {"type": "text", "text": data}
    if isinstance(data, str) and isinstance(kind, str) and source.get("type") == "base64":
        title = value.get("title")
        name = title if isinstance(title, str) and title else "document"
        return {"type": "file", "file": {"filename": name, "file_data": f"data:{kind};base64,{data}"}}
    return {"type": "text", "text": f"[{str(value.get('type'))[:64]}]"}


def _join_texts(content: Any) -> str:
    """Return the text of a content that is one, or consists of blocks of text."""
    if isinstance(content, str):
        return content
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks]
    return "\n\n".join(text for text in texts if isinstance(text, str))


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
