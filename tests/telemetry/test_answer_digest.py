"""Answers are named by digests that anybody who has the id can make, and nobody can turn round."""

import hashlib
import re

from telemetry.answer_digest import digest_answer


def test_the_digest_is_the_beginning_of_the_ids_sha256() -> None:
    answer = "s0-" + "0" * 32
    assert digest_answer(answer) == hashlib.sha256(answer.encode()).hexdigest()[:12]
    assert digest_answer(answer) != digest_answer("s0-" + "0" * 31 + "1")


def test_whatever_comes_as_an_id_has_one() -> None:
    for name in ("", "é", "half a pair \ud83d"):
        assert re.fullmatch("[0-9a-f]{12}", digest_answer(name))
