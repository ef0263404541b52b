"""The pages' sentences for reasons."""

import json

from gateway.errors import ERRORS
from gateway.http.reasons_module import reasons_module
from wire.reasons import Reason


def test_it_has_each_sentence_without_a_gap_in_both_languages() -> None:
    sentences = json.loads(reasons_module().decode().removeprefix("export const REASONS = ").rstrip(";\n"))
    gaps = {
        Reason.KEY_LENGTH,
        Reason.MODEL_UNKNOWN,
        Reason.MODEL_AWAY,
        Reason.REQUEST_ENCODING,
        Reason.REQUEST_TOO_LONG,
    }
    assert sentences["en"] == {reason: ERRORS[reason].en for reason in Reason if reason not in gaps}
    assert sentences["zh"] == {reason: ERRORS[reason].zh for reason in Reason if reason not in gaps}
