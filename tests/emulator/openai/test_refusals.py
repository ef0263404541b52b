import time
from email.utils import parsedate_to_datetime

import pytest

from emulator.openai import refusals
from tests.support.emulator.openai_client import OpenaiClient

pytestmark = pytest.mark.anyio


async def test_azures_filter_has_azures_shape(asker: OpenaiClient) -> None:
    error = (await asker.ask("tell me !content-filter")).json["error"]
    assert error["type"] is None
    assert error["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert error["innererror"]["content_filter_result"]["violence"]["filtered"] is True


@pytest.mark.parametrize(("word", "after"), [("throttled=2.1", "3"), ("http-503=9", "9")])
async def test_a_refusal_says_when_to_come_back(asker: OpenaiClient, word: str, after: str) -> None:
    assert (await asker.ask(f"tell me !{word}")).headers["retry-after"] == after


async def test_a_refusal_can_say_it_with_a_date(asker: OpenaiClient) -> None:
    began = time.time()
    reply = await asker.ask("tell me !throttled-date=60")
    until = parsedate_to_datetime(reply.headers["retry-after"]).timestamp()
    assert reply.status == 429
    assert began + 60 <= until <= time.time() + 61


def test_seconds_are_rounded_up_and_left_out_without_a_number() -> None:
    assert refusals.with_header(refusals.OVERLOADED, 1.2).headers["Retry-After"] == "2"
    assert refusals.with_header(refusals.OVERLOADED, None, 7.0).headers["Retry-After"] == "7"
    assert "Retry-After" not in refusals.with_header(refusals.OVERLOADED, None).headers
