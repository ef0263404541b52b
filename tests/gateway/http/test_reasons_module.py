"""The pages' sentences for reasons."""

import json

from gateway.errors import ERRORS
from gateway.http.reasons_module import reasons_module
from wire.reasons import Reason


def test_it_has_the_sentence_of_each_reason_in_both_languages() -> None:
    sentences = json.loads(reasons_module().decode().removeprefix("export const REASONS = ").rstrip(";\n"))
    assert sentences["en"] == {reason: ERRORS[reason].en for reason in Reason}
    assert sentences["zh"] == {reason: ERRORS[reason].zh for reason in Reason}
