"""How many users there are of each kind, what they ask, and how long they wait. Times are in seconds."""

import random

# Shares of all users.
QUESTION_USERS = 5
SOCKET_USERS = 3
CONVERSATION_USERS = 3
RECONNECT_USERS = 2
STOP_USERS = 1
IMAGE_USERS = 1

# From one question to the next.
THINK_S = (1.0, 5.0)
# The longest that anything may take, from asking to the last byte.
LIMIT_S = 120.0
# A refused user waits for as long as Retry-After, but not longer than this.
MAX_WAIT_S = 15.0
# From a cut to the next connection, as EventSource waits without `retry:`; how many connections it makes.
RECONNECT_S = 1.0
RECONNECTIONS = 10
# Turns of a conversation, and questions over one socket.
TURNS = (2, 5)
# The number of deltas after which a connection is cut, or an answer stopped.
CUT_AFTER = (1, 10)

_STYLES = ("balanced", "creative", "precise")
# The emulator reads the options in these and gives long and short answers; any other upstream takes them for text.
_QUESTIONS = (
    "What is a river?",
    "!deltas=20 !rate=20 Why is the sky blue?",
    "!deltas=60 !rate=20 How does a bicycle stay upright?",
    "!deltas=100 !rate=40 Tell me a long story.",
    "天空为什么是蓝色的？",
)
_LONG = "!deltas=80 !rate=20 Tell me all about lighthouses."
_PICTURES = ("a red circle", "a cat on a roof", "the sea at night")


def question() -> dict[str, str]:
    """Return a question as every endpoint takes it."""
    return {"style": random.choice(_STYLES), "question": random.choice(_QUESTIONS)}


def long_question() -> dict[str, str]:
    """Return a question whose answer takes long enough to be cut or stopped."""
    return {"style": random.choice(_STYLES), "question": _LONG}


def cut_after() -> int:
    """Return the number of deltas after which a user cuts its connection, or stops its answer."""
    return random.randint(*CUT_AFTER)


def picture() -> dict[str, str]:
    """Return what /image takes."""
    return {"keyword": random.choice(_PICTURES)}
