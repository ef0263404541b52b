"""What `make load` runs: users of all kinds. `locust -f bench/scenario/locustfile.py --host ADDRESS`."""

from bench.scenario.http_users import Asking, Conversing, Drawing, Resuming, Stopping
from bench.scenario.socket_users import Talking

__all__ = ["Asking", "Conversing", "Drawing", "Resuming", "Stopping", "Talking"]
