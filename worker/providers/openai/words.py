"""A server's own words for the client: one line, trimmed, without keys and addresses with secrets."""

import re

_LONGEST = 300
_HIDDEN = "[…]"
# Keys as servers repeat them, masked or whole; what authenticates; tokens of JWT's form; ids of organizations.
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|gsk|hf|xai|key|org|proj|nvapi|AIza)[-_][A-Za-z0-9_*.\-]{4,}"
    r"|\bAIza[A-Za-z0-9_\-]{8,}"
    r"|\beyJ[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+){0,2}"
    r"|(?i:\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=*\-]{4,})"
    r"|(?i:\b(?:api[ _-]?key|token|secret|password)\b\s*(?:provided)?\s*[:=]\s*[\"']?[^\s\"',;]+)"
)
# The password and the query of an address.
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,15}://)(?:[^\s/@\"']*@)?([^\s?#\"']*)(?:[?#][^\s\"']*)?", re.IGNORECASE)


def clean_words(message: str, secret: str = "") -> str:
    """Return a server's message for the client; `secret` is the key that it was asked with."""
    text = message.encode(errors="ignore").decode()
    if len(secret) > 3:
        text = text.replace(secret, _HIDDEN)
    text = _SECRETS.sub(_HIDDEN, _URL.sub(r"\1\2", text))
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
