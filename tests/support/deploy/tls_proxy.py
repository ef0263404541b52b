"""The shipped nginx configuration that ends TLS, with a certificate of the test's own."""

import re
from pathlib import Path

from tests.support.certificates import write_certificate
from tests.support.processes import ROOT

# Around a file of /etc/nginx/conf.d.
_MAIN = """daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
client_body_temp_path {folder}/client_body;
proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi;
scgi_temp_path {folder}/scgi;
{included}
}}
"""


def make_certificate(folder: Path) -> None:
    """Write a certificate and its key, as certbot names them."""
    write_certificate(folder / "fullchain.pem", folder / "privkey.pem", "chat.example.org", "IP:127.0.0.1")


def configuration(folder: Path, port: int, plain_port: int, *upstreams: str) -> str:
    """The shipped file with this machine's ports, in a main file."""
    text = (ROOT / "deploy" / "tls" / "nginx.conf").read_text()
    (server,) = re.findall(r"server 127\.0\.0\.1:5000.*;", text)
    for shipped, local in {
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl so_keepalive=15s:5s:3;\n": "",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        server: " ".join(server.replace("127.0.0.1:5000", upstream) for upstream in upstreams),
        "/etc/letsencrypt/live/chat.example.org/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
        "/var/www/certbot": f"{folder}/certbot",
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, local)
    return _MAIN.format(folder=folder, included=text)
