"""The work of a job that was submitted, wherever Redis has it."""

from wire import keys
from wire.messages import Work, decode_work
from wire.redis.store import Store
from wire.work_store import WorkStore


async def read_work(store: Store, answer: str) -> Work:
    """Return the work of a job that hasn't ended: short work is inside the job."""
    inside = await store.execute("HGET", keys.job_key(answer), "short_work")
    return decode_work(inside or await WorkStore(store).read(answer))
