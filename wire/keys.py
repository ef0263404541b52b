"""Every key, channel and group name in Redis.

All names of one shard carry the same hash tag, so that each script stays on one slot of a Redis Cluster. For now there
is one shard, `s0`; an answer's id begins with its shard.
"""

SHARD = "s0"
# The tag of the account ledger, which all shards share.
LEDGER = "accounts"

# The part of a name between the shard's prefix and an id. The Lua scripts get this table too (scripts/__init__.py).
NAMES = {
    "ring": "ring",  # list: the clients that have a token waiting, in the order of their next turns
    "jobs_of": "jobs:",  # stream of one client, its line: its tokens with work that wait for a turn
    "again": "again:",  # list of one client: those that a worker has given back, ahead of these
    "credit": "credit",  # hash: how many turns a client has had in this visit of the ring
    "idle": "idle",  # sorted set: workers with free places, by how many
    "bell": "bell:",  # pub/sub: a worker's bell; `0 ` for work, `1 ` for an answer to stop
    "took": "took:",  # hash: the turns that a worker took last, and the number of that call
    "looks": "looks",  # hash that lives for seconds: since when gateways look after the queue, and when one did last
    "jobs": "jobs",  # stream: tokens with work, for workers of version 0.2
    "token": "token:",  # hash: owner, fence, running job, saved session, place in its client's line
    "mailbox": "mailbox:",  # list: a token's waiting jobs, oldest first
    "transcript": "transcript:",  # list: what was asked and answered in a token's conversation, oldest first
    "job": "job:",  # hash: its state, its last seq, about its work
    "work": "work:",  # string: a job's work, until the job ends
    "result": "result:",  # string that lives for a minute: the result of a call
    "log": "log:",  # stream: the events of an answer, id `seq-0`
    "channel": "answer:",  # pub/sub: the same events, as they are appended
    "queued": "queued",  # sorted set: jobs that wait, by the time they were accepted
    "worker": "worker:",  # hash that lives as long as its worker: since, last
    "workers": "workers",  # set: workers that have beaten and not left
    "stops": "stops:",  # set: the answers that a worker runs and that were stopped; it hangs up upstream
    "owned": "owned:",  # set: the tokens whose lease a worker holds
    "idem": "idem:",  # string: the answer of an Idempotency-Key, and its question
    "attempt": "attempt:",  # string that lives for a minute: the answer of a request that a proxy may pass on
    "conversation": "conversation:",  # string: token and last answer of a conversation that its client sends in full
    "conversations": "conversations",  # sorted set: the states of such conversations, by when they were added
    "states": "states:",  # sorted set: those of one client
    "secret": "secret",  # string: derives the tokens of new conversations under an Idempotency-Key
    "client": "client:",  # sorted set: a client's jobs that wait or run, by the time they were accepted
    "day": "day:",  # string that lives until the end of a day: how many questions a client has asked in it
    "rate": "rate",  # hash: how fast jobs end
    "accounts": "known",  # sorted set: accounts, by when a worker last announced them
    "account": "account:",  # hash: an account's state
    "flight": "flight:",  # sorted set: an account's slots in use (job:attempt:worker), by when they expire
    "blame": "blame:",  # hash: the clients whose questions failed at an account since its last success, and how
    "spent": "spent:",  # sorted set: the questions sent with an account, by when, for a day
    "listed": "listed:",  # string: the models that an account's server lists
    "listing": "listing:",  # string: the server was asked for that list, or is being asked, by this worker
    "few": "few",  # string: too few accounts are ready, and an operator was alerted
    "handed_in": "handed_in",  # set: names of submitted cookie exports that wait for a worker
    "export": "export:",  # string that lives for a minute: a submitted cookie export
    "processes": "processes",  # hash: gateways and workers, when each last reported, and its state
    "facts": "facts",  # hash: each one's load: version, slots, running answers
    "minute": "minute:",  # hash that lives for hours: what was counted in a minute (Unix time / 60)
    "events": "events",  # stream, kept short: what happened to accounts and processes, and who ordered what
    "confirmed": "confirmed",  # string that lives for a second: written ahead of each WAIT
    "run": "run",  # hash: the run of Redis that the data belongs to, since when in ms, and the last beat of any worker
    "picture": "picture:",  # string that lives as long as an answer: the bytes of a picture
    "pictures": "pictures",  # sorted set: the pictures that are kept, their sizes and clients, by when they expire
    "picture_sums": "picture_sums",  # hash: the sum of those sizes, of all and of each client
    "kept": "kept",  # sorted set: jobs whose bytes count, by when they expire
    "kept_transcripts": "kept_transcripts",  # sorted set: tokens whose transcripts count, likewise
    "sizes": "sizes",  # hash: the bytes of each of these, and whose they are
    "bytes": "bytes",  # hash: the sums of these, of all, of each client and of transcripts
    "call": "call:",  # string that lives as long as a session: what a server gave with a call of a tool
    "calls": "calls:",  # sorted set: those of one client and their sizes, by when they expire
    "response": "response:",  # string: the input of a stored response
    "response_end": "response_end:",  # string: its end
    "responses": "responses:",  # sorted set: those of one client, by when they expire
    "response_sizes": "response_sizes:",  # hash: the bytes of each of these, of its input and of its end
    "probe": "probe:",  # pub/sub: a process's own liveness probe
}


def prefix(shard: str = SHARD) -> str:
    """Return the prefix of all names of a shard."""
    return f"bing:{{{shard}}}:"


def shard_of_name(name: str) -> str:
    """Return the shard that a key or channel says in its hash tag; nothing for a text that is neither."""
    if not name.startswith("bing:{"):
        return ""
    return name[len("bing:{") : name.index("}")]


def shard_of(token: str) -> str:
    """Return the shard of a token's keys."""
    del token  # one shard for now; the one place to spread tokens over more
    return SHARD


def shard_of_answer(answer: str) -> str:
    """Return the shard of an answer's keys; the answer may not exist."""
    del answer  # as above; its id begins with its shard
    return SHARD


def shard_of_picture(picture: str) -> str:
    """Return the shard of a picture's key; the picture may not exist."""
    del picture  # as above
    return SHARD


def _key(kind: str, id_: str = "", shard: str = SHARD) -> str:
    return prefix(shard) + NAMES[kind] + id_


def token_key(token: str) -> str:
    """Return the key of a token's hash."""
    return _key("token", token, shard_of(token))


def mailbox_key(token: str) -> str:
    """Return the key of a token's list of waiting jobs."""
    return _key("mailbox", token, shard_of(token))


def transcript_key(token: str) -> str:
    """Return the key of a conversation's transcript."""
    return _key("transcript", token, shard_of(token))


def attempt_key(name: str) -> str:
    """Return the key of a proxy's attempt."""
    return _key("attempt", name)


def job_key(answer: str) -> str:
    """Return the key of a job's hash."""
    return _key("job", answer, shard_of_answer(answer))


def work_key(answer: str) -> str:
    """Return the key of a job's work."""
    return _key("work", answer, shard_of_answer(answer))


def result_key(answer: str) -> str:
    """Return the key of a call's result."""
    return _key("result", answer, shard_of_answer(answer))


def log_key(answer: str) -> str:
    """Return the key of an answer's stream of events."""
    return _key("log", answer, shard_of_answer(answer))


def channel(answer: str) -> str:
    """Return the channel on which an answer's events are published."""
    return _key("channel", answer, shard_of_answer(answer))


def probe_channel(process: str) -> str:
    """Return the channel on which a process probes its own connection."""
    return _key("probe", process)


def ring_key() -> str:
    """Return the key of the clients that wait for a turn."""
    return _key("ring")


def line_key(client: str) -> str:
    """Return the key of a client's line."""
    return _key("jobs_of", client)


def idle_key() -> str:
    """Return the key of the workers with free places."""
    return _key("idle")


def bell_channel(worker: str) -> str:
    """Return the channel on which a worker is woken."""
    return _key("bell", worker)


def took_key(worker: str) -> str:
    """Return the key of the turns that a worker took last."""
    return _key("took", worker)


def looks_key() -> str:
    """Return the key of gateways' looks at the queue."""
    return _key("looks")


def worker_key(worker: str) -> str:
    """Return the key of a worker's heartbeat."""
    return _key("worker", worker)


def workers_key() -> str:
    """Return the key of the set of workers."""
    return _key("workers")


def owned_key(worker: str) -> str:
    """Return the key of the tokens that a worker owns."""
    return _key("owned", worker)


def stops_key(worker: str) -> str:
    """Return the key of a worker's answers that were stopped."""
    return _key("stops", worker)


def queued_key() -> str:
    """Return the key of the jobs that wait."""
    return _key("queued")


def idem_key(name: str) -> str:
    """Return the key of an Idempotency-Key."""
    return _key("idem", name)


def conversation_key(state: str) -> str:
    """Return the key of one state of a conversation."""
    return _key("conversation", state)


def conversations_key() -> str:
    """Return the key of all states of conversations."""
    return _key("conversations")


def states_key(client: str) -> str:
    """Return the key of the states of one client's conversations."""
    return _key("states", client)


def confirmed_key(shard: str) -> str:
    """Return the key of what is written ahead of a WAIT."""
    return _key("confirmed", shard=shard)


def secret_key() -> str:
    """Return the key of the gateways' shared secret."""
    return _key("secret")


def client_key(client: str) -> str:
    """Return the key of a client's jobs."""
    return _key("client", client)


def day_key(client: str) -> str:
    """Return the key of the number of questions that a client has asked today."""
    return _key("day", client)


def rate_key() -> str:
    """Return the key of the measured rate of jobs."""
    return _key("rate")


def kept_key() -> str:
    """Return the key of the jobs whose bytes count."""
    return _key("kept")


def kept_transcripts_key() -> str:
    """Return the key of the tokens whose transcripts count."""
    return _key("kept_transcripts")


def sizes_key() -> str:
    """Return the key of the bytes of each of these."""
    return _key("sizes")


def bytes_key() -> str:
    """Return the key of the sums of bytes that count."""
    return _key("bytes")


def picture_key(picture: str) -> str:
    """Return the key of a picture's bytes."""
    return _key("picture", picture, shard_of_picture(picture))


def pictures_key() -> str:
    """Return the key of the pictures that are kept."""
    return _key("pictures")


def picture_sums_key() -> str:
    """Return the key of the pictures' sizes in all."""
    return _key("picture_sums")


def call_key(name: str) -> str:
    """Return the key of what a server gave with a call."""
    return _key("call", name)


def calls_key(client: str) -> str:
    """Return the key of a client's calls."""
    return _key("calls", client)


def response_key(answer: str) -> str:
    """Return the key of a stored response's input."""
    return _key("response", answer, shard_of_answer(answer))


def response_end_key(answer: str) -> str:
    """Return the key of a stored response's end."""
    return _key("response_end", answer, shard_of_answer(answer))


def responses_key(client: str) -> str:
    """Return the key of a client's stored responses."""
    return _key("responses", client)


def response_sizes_key(client: str) -> str:
    """Return the key of the sizes of a client's stored responses."""
    return _key("response_sizes", client)


def accounts_key() -> str:
    """Return the key of the set of accounts."""
    return _key("accounts", shard=LEDGER)


def account_key(name: str) -> str:
    """Return the key of an account's hash."""
    return _key("account", name, LEDGER)


def flight_key(name: str) -> str:
    """Return the key of an account's slots in use."""
    return _key("flight", name, LEDGER)


def blame_key(name: str) -> str:
    """Return the key of the clients whose questions failed at an account."""
    return _key("blame", name, LEDGER)


def spent_key(name: str) -> str:
    """Return the key of an account's questions of the last day."""
    return _key("spent", name, LEDGER)


def listed_key(name: str) -> str:
    """Return the key of the models that an account's server lists."""
    return _key("listed", name, LEDGER)


def listing_key(name: str) -> str:
    """Return the key that lives until an account's server is to be asked for its models."""
    return _key("listing", name, LEDGER)


def few_key() -> str:
    """Return the key that exists while too few accounts are ready."""
    return _key("few", shard=LEDGER)


def handed_in_key() -> str:
    """Return the key of the names of submitted cookie exports."""
    return _key("handed_in", shard=LEDGER)


def export_key(name: str) -> str:
    """Return the key of a submitted cookie export."""
    return _key("export", name, LEDGER)


def processes_key() -> str:
    """Return the key of the processes' states."""
    return _key("processes", shard=LEDGER)


def facts_key() -> str:
    """Return the key of the processes' loads."""
    return _key("facts", shard=LEDGER)


def minute_key(minute: int) -> str:
    """Return the key of a minute's counts."""
    return _key("minute", str(minute), LEDGER)


def events_key() -> str:
    """Return the key of the audit log."""
    return _key("events", shard=LEDGER)


def run_key() -> str:
    """Return the key of the identity of Redis's run."""
    return _key("run")
