"""The reference is what the code says."""

from pathlib import Path

import pytest
from starlette.routing import Route, WebSocketRoute

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.settings import GatewaySettings
from tools import reference
from wire.redis.store import Store


def test_the_reference_is_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in reference.FOLDER.iterdir()}
    assert written == reference.render_pages(), "run make reference"


@pytest.mark.parametrize("name", sorted(path.name for path in reference.FOLDER.iterdir()))
def test_nothing_in_the_reference_lacks_its_meaning(name: str) -> None:
    for line in (reference.FOLDER / name).read_text(encoding="utf-8").splitlines():
        assert not line.startswith("|") or "|  |" not in line, f"{name}: {line}"


def test_every_route_is_in_the_reference(tmp_path: Path) -> None:
    """But for the files that belong to pages."""
    (tmp_path / "admins").write_text(f"olivia {'0' * 64}")
    app = create_app(GatewaySettings(admin_keys_file=tmp_path / "admins"), Store("memory://"), ActiveRequests())
    paths = {route.path for route in app.routes if isinstance(route, Route | WebSocketRoute)}
    page = (reference.FOLDER / "endpoints.md").read_text(encoding="utf-8")
    missing = {path for path in paths if f"| `{path.replace('{model:path}', '{model}')}` |" not in page}
    others = {"/{path:path}", "/docs/{name:path}"}
    assert {path for path in missing if "." not in path and "{version}" not in path} <= others
