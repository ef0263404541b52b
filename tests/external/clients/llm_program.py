"""The command `llm` at work: functions as tools, a schema, a picture as attachment."""

import base64
import codecs
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.external.clients.jobs import Job, Outcome, serve

COMMAND = Path(sys.executable).with_name("llm")
# The command's own interpreter runs them; they note their calls in a file, and what they return is in another.
FUNCTIONS = """
import json, pathlib
def called(name, **arguments):
    folder = pathlib.Path("FOLDER")
    with (folder / "calls").open("a") as file:
        file.write(json.dumps([name, arguments]) + "\\n")
    return json.loads((folder / "results").read_text())[name]
def weather(city: str) -> str:
    "Return the weather of a city."
    return called("weather", city=city)
def time(zone: str) -> str:
    "Return the time of day in a zone."
    return called("time", zone=zone)
"""


def configure(folder: Path, job: Job) -> None:
    """Describe one model that can do all; JSON is YAML."""
    able = {"supports_tools": True, "supports_schema": True, "vision": True}
    model = {"model_id": "ours", "model_name": job["model"], "api_base": job["url"], "api_key_name": "ours"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model | able]))
    (folder / "keys.json").write_text(json.dumps({"ours": job["key"]}))


def run(job: Job, deltas: list[str], *options: str) -> str:
    """Return what the command prints; `deltas` gets it piece by piece."""
    configure(FOLDER, job)
    environment = os.environ | {"LLM_USER_PATH": str(FOLDER)}
    command = [str(COMMAND), "-m", "ours", *options, job["question"]]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        decoder = codecs.getincrementaldecoder("utf-8")()
        while piece := os.read(running.stdout.fileno(), 65536):
            deltas += [decoder.decode(piece)]
        errors = running.stderr.read().decode()
    if running.returncode:
        raise RuntimeError(errors)
    return "".join(deltas).removesuffix("\n")


def chat(job: Job, deltas: list[str]) -> Outcome:
    return {"text": run(job, deltas)}


def tools(job: Job, deltas: list[str]) -> Outcome:
    calls = FOLDER / "calls"
    calls.write_text("")
    (FOLDER / "results").write_text(json.dumps(job["results"]))
    text = run(job, deltas, "--functions", FUNCTIONS.replace("FOLDER", str(FOLDER)))
    return {"text": text, "calls": [json.loads(line) for line in calls.read_text().splitlines()]}


def schema(job: Job, deltas: list[str]) -> Outcome:
    return {"value": json.loads(run(job, deltas, "--schema", "name, age int"))}


def picture(job: Job, deltas: list[str]) -> Outcome:
    file = FOLDER / "picture.png"
    file.write_bytes(base64.b64decode(job["picture"].partition(",")[2]))
    return {"text": run(job, deltas, "-a", str(file))}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        serve({"chat": chat, "tools": tools, "schema": schema, "picture": picture})
