"""The gateway's intervals and time limits that no operator sets: they follow from its protocols and its clients."""

from dataclasses import dataclass

from wire.reporter import REPORT_INTERVAL


@dataclass(frozen=True)
class Timings:
    """Intervals and time limits in seconds. They are passed by the code alone; tests pass shorter ones."""

    # The time for the head of a request, and for its body.
    head_limit: float = 10.0
    body_limit: float = 30.0
    # For how long a body that is too large is read on behind its refusal.
    linger_limit: float = 2.0
    # Added to the limits of queue and answer, so that theirs end an answer first.
    answer_margin: float = 5.0
    # Between two renewals of the interest in a queued job, and before the next one after Redis was unavailable.
    renew_every: float = 5.0
    away_pause: float = 0.5
    # For how long no worker may be alive before questions are refused, and between two looks at the workers.
    worker_patience: float = 10.0
    worker_look_every: float = 1.0
    # Between two looks for questions that have waited for too long.
    overdue_look_every: float = 2.0
    # Between two looks at the files of keys.
    keys_look_every: float = 0.5
    # Before a question's place in the queue is read for the first time, and between two reads.
    first_place_after: float = 0.3
    place_every: float = 1.0
    # How long a stream's headers wait for its first event: of the drop-in API, whose headers name the provider (an
    # EventSource gets them at once), and of /v1, so that an immediate failure is an HTTP error.
    drop_in_first_event: float = 1.0
    openai_first_event: float = 5.0
    # Between two pings: comments in an event stream, and frames on a WebSocket, which have to be answered as soon.
    sse_ping_every: float = 15.0
    socket_ping_every: float = 20.0
    # How long a client that doesn't read may delay the last frame.
    last_send_limit: float = 5.0
    # Between two reads of the system's state for open consoles, and how long a console may take to read one chunk.
    console_poll_every: float = 2.0
    console_send_limit: float = 25.0
    # Between two reports of this process's status.
    report_every: float = REPORT_INTERVAL


TIMINGS = Timings()
