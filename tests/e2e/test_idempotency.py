"""A question under an Idempotency-Key, asked many times at once, in both shapes."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.processes import Deployment

REPEATS = 50


def test_fifty_parallel_repeats_over_all_gateways_are_one_turn_and_one_answer(deployed: Deployment) -> None:
    question, key = f"!rate=200 tell me {uuid.uuid4().hex}", uuid.uuid4().hex
    together = {"style": "balanced", "question": question}

    def ask(number: int) -> tuple[int, bytes, str]:
        gateway = deployed.gateways[number % len(deployed.gateways)]
        response = httpx.get(
            f"{gateway}/api_stream", params=together, headers={"Idempotency-Key": key}, timeout=30, trust_env=False
        )
        return response.status_code, response.content, response.headers["x-answer-id"]

    with ThreadPoolExecutor(REPEATS) as threads:
        results = list(threads.map(ask, range(REPEATS)))
    assert len(set(results)) == 1
    status, body, _ = results[0]
    assert status == 200
    assert json.loads(body.strip().split(b"\n\n")[-1].removeprefix(b"data: "))["data"]["done"] is True
    assert len(deployed.turns(question)) == 1


def test_another_question_under_the_key_is_refused_unspent(deployed: Deployment) -> None:
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    responses = [
        httpx.post(
            f"{gateway}/api", json={"style": "balanced", "question": question}, headers=headers, trust_env=False
        ).json()["code"]
        for question, gateway in ((first, deployed.gateways[0]), (second, deployed.gateways[-1]))
    ]
    assert responses == [200, 422]
    assert (len(deployed.turns(first)), len(deployed.turns(second))) == (1, 0)
