"""How nginx is started."""

from pathlib import Path

import pytest

from bench.peers import nginx
from bench.peers.environments import Environments
from bench.peers.peer import Site
from bench.systems.processes import Processes
from bench.systems.upstream_process import RunningUpstream
from tests.support.bench.stand_in import make_stand_ins

pytestmark = pytest.mark.anyio


async def test_its_configuration_has_both_ports_and_leaves_connections_open(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins = make_stand_ins(tmp_path, "nginx")

    async def version(*_: str) -> str:
        return "nginx version: nginx/1.22.1"

    async def listens(_: int) -> bool:
        return True

    monkeypatch.setattr(nginx, "program", lambda name: str(stand_ins.commands / name))
    monkeypatch.setattr(nginx, "output_of", version)
    monkeypatch.setattr(nginx, "accepts", listens)
    system = await nginx.start_nginx(Site(processes, tmp_path, Environments(tmp_path), RunningUpstream(7, 4321)))
    config = (tmp_path / "nginx.conf").read_text()
    assert "server 127.0.0.1:4321;" in config
    assert f"listen 127.0.0.1:{system.ports[0]};" in config
    assert 'proxy_set_header Connection "";' in config
    assert (system.side, system.version) == ("nginx openai", "1.22.1")
