"""What `make load` runs: users of all kinds. `locust -f bench/scenario/locustfile.py --host ADDRESS`."""

from bench.scenario.http_users import ConversationUser, ImageUser, QuestionUser, ReconnectUser, StopUser
from bench.scenario.socket_users import SocketUser

__all__ = ["ConversationUser", "ImageUser", "QuestionUser", "ReconnectUser", "SocketUser", "StopUser"]
