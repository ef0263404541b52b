"""The models that may answer a prompt, in their order, and the accounts that have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from wire.jobs import RETRY_AFTER
from wire.messages import Call, Operation, Prompted
from wire.needs import PARAMETERS, needs_of
from wire.reasons import Reason
from wire.redis.retry import retry_unavailable
from wire.shared_read import MAX_AGE
from worker.accounts.pool import AccountPool
from worker.errors import UpstreamError

# The age in seconds of the table that is read again for a model which an older one doesn't have.
_YOUNG = 0.1


@dataclass(frozen=True)
class ChainEntry:
    """A model by its exact name, '' for whichever an account has, and the accounts that may be asked for it."""

    model: str
    names: list[str]


# What no account can do that has such a model, for the sentence to a client.
_OPERATIONS: Mapping[Operation, str] = {"embeddings": "make embeddings", "count_tokens": "count tokens"}


async def find_call_entries(pool: AccountPool, work: Call, until: float) -> list[ChainEntry]:
    """Return the models of the chain that the call's model leads to, with the pool's accounts that can be called.

    Raises as `find_entries`.
    """
    for age in (MAX_AGE, _YOUNG):
        table = await retry_unavailable(partial(pool.models.read, age), until)
        chain = table.find(work.model)
        named = [(model, pool.names_calling(model, work.operation, table)) for model in chain]
        if entries := [ChainEntry(model, names) for model, names in named if names]:
            return entries
    if chain and not table.callable_accounts(chain, work.operation):
        words = f"The model can't {_OPERATIONS[work.operation]}."
        raise UpstreamError(Reason.MODEL_UNABLE, refused=True, words=words)
    raise UpstreamError(Reason.MODEL_NONE, retry_after=RETRY_AFTER)


async def find_entries(pool: AccountPool, work: Prompted, until: float) -> list[ChainEntry]:
    """Return the models of the chain that the prompt's model leads to, with the pool's accounts that meet its needs.

    UpstreamError `model.unable` if no account anywhere meets them, `model.none` if no account here has such a model.
    StoreUnavailableError if Redis is away until `until` (loop time).
    """
    name, needs = work.prompt.model or f"bing-{work.style}", needs_of(work.prompt)
    for age in (MAX_AGE, _YOUNG):
        table = await retry_unavailable(partial(pool.models.read, age), until)
        chain = table.find(name)
        entries = [ChainEntry(model, names) for model in chain if (names := pool.names_for(model, needs, table))]
        if entries:
            return entries
    if missing := table.missing(chain, needs):
        fields = ", ".join(sorted(PARAMETERS[need] for need in missing))
        raise UpstreamError(Reason.MODEL_UNABLE, refused=True, words=f"The model can't take: {fields}.")
    raise UpstreamError(Reason.MODEL_NONE, retry_after=RETRY_AFTER)
