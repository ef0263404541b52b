"""nginx as a plain proxy: the least that a proxy of completions costs."""

from functools import partial
from pathlib import Path

from bench.peers.environments import output_of, program
from bench.peers.peer import Site, side
from bench.systems.path import System
from bench.systems.processes import accepts, free_ports

_CONFIG = """daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream model {{
    server 127.0.0.1:{upstream};
    keepalive 1000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


async def start_nginx(site: Site) -> System:
    """Start it with one worker and connections that are left open. BenchError when it isn't installed."""
    nginx = program("nginx")
    [port] = free_ports(1)
    (site.folder / "nginx.conf").write_text(config(port, site.upstream.port))
    command: list[str | Path] = [nginx, "-p", site.folder, "-c", "nginx.conf", "-e", "stderr"]
    running = await site.processes.start("nginx", command, {})
    await running.until("its port", partial(accepts, port))
    return side(site, running, port, (await output_of(nginx, "-v")).rpartition("/")[2])


def config(port: int, upstream: int) -> str:
    """Return the configuration, for these two ports."""
    return _CONFIG.format(port=port, upstream=upstream)
