"""Bytes that are kept, dropped and forgotten in any order: the sums are those of what there is."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.redis_client import redis_client
from wire import keys, scripts
from wire.redis.store import Store

JOBS, TOKENS, TRANSCRIPTS = ([f"{kind}{number}" for number in range(12)] for kind in ("s0-", "k:", "t:"))
ITEMS = [*JOBS, *TOKENS, *TRANSCRIPTS]
# Some have expired long ago, in whatever order, and the others do so in many years.
EXPIRES = st.integers(1, 1000) | st.just(4_000_000_000_000)
TOGETHER = st.sampled_from([JOBS + TOKENS, TRANSCRIPTS]).flatmap(
    lambda items: st.dictionaries(st.sampled_from(items), st.integers(0, 2**40), min_size=1, max_size=3)
)
KEEP = st.tuples(st.just("keep"), TOGETHER, st.sampled_from([":", ":a b", ":c", "x"]), EXPIRES)
DROP = st.tuples(st.just("drop"), st.sampled_from(ITEMS))
FORGET = st.tuples(st.just("forget"), st.sampled_from(["kept", "kept_transcripts"]))
_AT_A_TIME = 20
_STEPS = """
for _, step in ipairs(cjson.decode(ARGV[2])) do
  if step[1] == 'keep' then
    local items = {}
    for item, bytes in pairs(step[2]) do
      items[#items + 1], items[#items + 2] = item, bytes
    end
    keep(items, step[3], step[4])
  elseif step[1] == 'drop' then
    drop(step[2])
  else
    drop_expired(step[2])
  end
end
"""
_SCRIPT = "".join(
    [scripts._table("NAMES", keys.NAMES), "\n", *scripts._needed(scripts._text("prelude"), _STEPS), _STEPS]
)


class Reference:
    """What is kept: of each item its bytes, its owner and when it expires."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[int, str, int]] = {}

    def take(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("keep", items, owner, expires):
                self.items.update({item: (amount, owner, expires) for item, amount in items.items()})
            case ("drop", item):
                self.items.pop(item, None)
            case (_, name):
                expired = sorted((entry[2], item) for item, entry in self.names(name).items() if entry[2] <= 1000)
                for _, item in expired[:_AT_A_TIME]:
                    del self.items[item]

    def names(self, name: str) -> dict[str, tuple[int, str, int]]:
        """Those in one sorted set."""
        transcripts = name == "kept_transcripts"
        return {item: entry for item, entry in self.items.items() if item.startswith("t:") == transcripts}

    def sums(self) -> dict[str, int]:
        """The sums by owner, without those that are 0."""
        sums: Counter[str] = Counter()
        for amount, owner, _ in self.items.values():
            sums.update({owner: amount, "all": amount})
        return dict(+sums)


async def check(store: Store, steps: list[tuple[Any, ...]]) -> None:
    """Take the steps in an empty Redis and in the reference, and compare all keys that there are then."""
    redis: Any = redis_client(store)
    await redis.flushall()
    await redis.eval(_SCRIPT, 1, keys.kept_key(), keys.prefix(), msgspec.json.encode(steps))
    reference = Reference()
    for step in steps:
        reference.take(step)
    for name in ("kept", "kept_transcripts"):
        entries = await redis.zrange(keys.prefix() + keys.NAMES[name], 0, -1, withscores=True)
        assert {item.decode(): expires for item, expires in entries} == {
            item: entry[2] for item, entry in reference.names(name).items()
        }
    sizes = {item.decode(): size.decode() for item, size in (await redis.hgetall(keys.sizes_key())).items()}
    assert sizes == {item: f"{amount} {owner}" for item, (amount, owner, _) in reference.items.items()}
    sums = {owner.decode(): int(amount) for owner, amount in (await redis.hgetall(keys.bytes_key())).items()}
    assert sums == reference.sums()
    assert reference.items or await redis.dbsize() == 0


def test_the_sums_are_those_of_what_is_kept_and_nothing_is_left_of_the_rest(store_url: str) -> None:
    with asyncio.Runner() as runner:
        store = Store(store_url)

        @settings(max_examples=150)
        @given(st.lists(KEEP | DROP | FORGET, max_size=80))
        def compare(steps: list[tuple[Any, ...]]) -> None:
            runner.run(check(store, steps))

        compare()
        everything = [("keep", {item: 10}, f":{number % 3}", 1) for number, item in enumerate(ITEMS)]
        forgotten = [("forget", name) for name in ("kept", "kept", "kept_transcripts")]
        runner.run(check(store, [*everything, *everything, *forgotten]))
        runner.run(store.close())
