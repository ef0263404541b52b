"""The stand-ins for programs of others know what is there, and refuse all else."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docs.blocks import Block
from tests.support.docs.launcher import launcher
from tests.support.docs.page_run import Services, copy_checkout, run_page


@pytest.fixture(scope="module")
def nowhere() -> Iterator[Services]:
    with launcher() as starts:
        yield Services("127.0.0.1:9", "127.0.0.1:9", "127.0.0.1:9", Path("cookies"), starts)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "docker compose --profile none up",
        "docker compose up --all-of-it",
        "docker compose up --scale nobody=2",
        "docker compose exec nobody sh",
        "docker compose exec gateway redis-cli ping",
        "docker compose frobnicate",
        "docker build --target none .",
        "docker stop nobody",
        "docker frobnicate",
        "redis-cli -p 26379 sentinel frobnicate bing",
        "systemctl start bing-chat-gateway-none",
        "systemctl frobnicate nginx",
        "journalctl -u bing-chat-gateway-none",
        "kubectl apply -k deploy/none",
        "kubectl scale deploy/none --replicas=2",
        "kubectl frobnicate",
        "sudo systemctl start bing-chat-gateway-none",
        "make none",
        "pip install no-such-package",
        "npm install no-such-package",
        "git frobnicate",
        "curl -s https://someone.test/",
        "ollama frobnicate",
        "certbot frobnicate",
        "bing-chat-gateway frobnicate",
        "python -m pytest tests/none.py",
        "python -m bench --none",
        "rsync -a . elsewhere:",
        "if true; then",
    ],
)
def test_a_command_that_would_not_work_fails(command: str, checkout: Path, nowhere: Services, tmp_path: Path) -> None:
    block = Block("page.md", 3, "sh", f"{command}\n")
    run = run_page([Block("page.md", 1, "sh", "true\n"), block], tmp_path, checkout, nowhere)
    assert run.failed == block
    assert "Traceback" not in run.errors


@pytest.mark.parametrize(
    "command",
    [
        "docker compose --profile demo up --build -d --wait",
        "docker compose up -d --no-deps --scale gateway=6 gateway",
        'for id in $(docker compose ps -q gateway); do docker stop "$id" && docker rm "$id"; done',
        "docker compose exec -T worker python -m worker --help",
        "sudo systemctl restart nginx",
        "pip install openai",
        "make test",
        "git clone https://example.org/them/bing-chat-gateway && cd bing-chat-gateway && test -e Makefile",
    ],
)
def test_a_command_that_works_passes(command: str, checkout: Path, nowhere: Services, tmp_path: Path) -> None:
    run = run_page([Block("page.md", 1, "sh", f"{command}\n")], tmp_path, checkout, nowhere)
    assert run.failed is None, run.errors


def test_files_and_variables_last_for_a_page(checkout: Path, nowhere: Services, tmp_path: Path) -> None:
    shell = Block("page.md", 1, "sh", "export NAME=alice\nname=bob\necho one > file\n")
    python = Block("page.md", 5, "python", "import os\nprint(os.environ['NAME'], open('file').read())\n")
    last = Block("page.md", 9, "sh", "echo $name; echo here > /etc/nginx/conf.d/here.conf\n")
    run = run_page([shell, python, last], tmp_path, checkout, nowhere)
    assert (run.failed, run.outputs[python], run.outputs[last]) == (None, "alice one\n\n", "bob\n")
    assert (tmp_path / "machine/etc/nginx/conf.d/here.conf").read_text() == "here\n"


def test_nothing_of_the_checkout_changes(checkout: Path, nowhere: Services, tmp_path: Path) -> None:
    before = subprocess.run(["ls", "-R", checkout], capture_output=True, text=True, check=True).stdout
    changes = Block("page.md", 1, "sh", "echo none > .env; rm -r deploy/monitoring; echo 1 >> cookies/README.md\n")
    assert run_page([changes], tmp_path, checkout, nowhere).failed is None
    assert subprocess.run(["ls", "-R", checkout], capture_output=True, text=True, check=True).stdout == before
