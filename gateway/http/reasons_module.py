"""The JavaScript module with the sentence of each reason, from which the gateway's pages take what they show."""

import json

from gateway.errors import ERRORS


def reasons_module() -> bytes:
    """Return the module: `REASONS.en` and `REASONS.zh` have the sentence of each reason that has nothing to fill in."""
    sentences = {
        language: {reason: spec.text(language == "en") for reason, spec in ERRORS.items() if "{" not in spec.en}
        for language in ("en", "zh")
    }
    return f"export const REASONS = {json.dumps(sentences, ensure_ascii=False)};\n".encode()
