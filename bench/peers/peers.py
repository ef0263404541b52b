"""All peers, by the names that --peers takes."""

from collections.abc import Mapping

from bench.peers.litellm import start_litellm
from bench.peers.nginx import start_nginx
from bench.peers.peer import StartPeer
from bench.peers.portkey_gateway import start_portkey
from bench.peers.smg import start_smg
from bench.peers.tensorzero import start_tensorzero

LITELLM = "litellm"
PEERS: Mapping[str, StartPeer] = {
    "nginx": start_nginx,
    "smg": start_smg,
    "tensorzero": start_tensorzero,
    "portkey": start_portkey,
    LITELLM: start_litellm,
}
