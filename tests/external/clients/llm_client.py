"""The command `llm`, which keeps the conversation itself and reads our models from a file."""

import codecs
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.external.clients.jobs import Job, Outcome, serve

COMMAND = Path(sys.executable).with_name("llm")


def configure(folder: Path, job: Job) -> None:
    """Describe one model; JSON is YAML."""
    model = {"model_id": job["model"], "model_name": job["model"], "api_base": job["url"], "api_key_name": "bing"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model]))
    (folder / "keys.json").write_text(json.dumps({"bing": job["key"]}))


def ask(job: Job, deltas: list[str]) -> Outcome:
    configure(FOLDER, job)
    options = [] if job.get("stream") else ["--no-stream"]
    options += [part for one in job.get("stop", ()) for part in ("-o", "stop", one)]
    options += ["-c"] if len(job["messages"]) > 1 else []
    command = [str(COMMAND), "-m", job["model"], "-u", *options, job["messages"][-1]["content"]]
    environment = os.environ | {"LLM_USER_PATH": str(FOLDER)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        decoder = codecs.getincrementaldecoder("utf-8")()
        while piece := os.read(running.stdout.fileno(), 65536):
            deltas += [decoder.decode(piece)]
            if len(deltas) == job.get("leave"):
                running.send_signal(signal.SIGINT)
                return {"left": True}
        errors = running.stderr.read().decode()
    if running.returncode:
        return {"error": f"exit status {running.returncode}", "message": errors}
    usage = re.search(r"([\d,]+) input, ([\d,]+) output", errors)
    return {"text": "".join(deltas).removesuffix("\n"), "usage": usage and [int(one) for one in usage.groups()]}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        serve({"ask": ask})
