"""How many users there are of each kind, what they ask, and how long they take over it. Times are in seconds."""

import random

# Shares of all users.
ASKING = 5
TALKING = 3
CONVERSING = 3
RESUMING = 2
STOPPING = 1
DRAWING = 1

# From one question to the next.
THINK_S = (1.0, 5.0)
# The longest that anything may take, from asking to the last byte.
LIMIT_S = 120.0
# A refused user comes back when told to, but not later than this.
COME_BACK_S = 15.0
# From a cut to coming back, as EventSource does without `retry:`; for how often it does.
RECONNECT_S = 1.0
RECONNECTIONS = 10
# Turns of a conversation, and questions over one socket.
TURNS = (2, 5)
# After how many deltas a resuming user is cut off, and a stopping one stops.
CUT_AFTER = (1, 10)

_STYLES = ("balanced", "creative", "precise")
# The words are the stand-in's, and ask for long and short answers; any other upstream takes them for text.
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
    """A question as every endpoint takes it."""
    return {"style": random.choice(_STYLES), "question": random.choice(_QUESTIONS)}


def long_question() -> dict[str, str]:
    """One whose answer takes long enough to be cut or stopped."""
    return {"style": random.choice(_STYLES), "question": _LONG}


def picture() -> dict[str, str]:
    """What /image takes."""
    return {"keyword": random.choice(_PICTURES)}
