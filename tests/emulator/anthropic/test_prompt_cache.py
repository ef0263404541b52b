from emulator.anthropic.prompt_cache import PromptCache, PromptTokens, count_all
from tests.support.emulator.anthropic_bodies import HI, assistant, text, user
from tests.support.emulator.event_reply import Json

MARK: Json = {"cache_control": {"type": "ephemeral"}}
LONG = "x" * 400


def body(*messages: Json, **fields: object) -> Json:
    return {"model": "m", "system": [text(LONG) | MARK], "messages": list(messages), **fields}


def test_without_a_mark_all_is_fresh() -> None:
    plain = body(HI, system=LONG)
    assert PromptCache().measure("k1", plain) == PromptTokens(count_all(plain))


def test_what_was_marked_is_written_once_and_then_read() -> None:
    cache = PromptCache()
    first, second = cache.measure("k1", body(HI)), cache.measure("k1", body(HI))
    assert first.written > 100
    assert first.read == 0
    assert (second.written, second.read, second.fresh) == (0, first.written, first.fresh)
    assert cache.measure("k2", body(HI)).read == 0


def test_a_mark_may_move_to_a_later_message() -> None:
    cache = PromptCache()
    first = cache.measure("k1", body(user(text(LONG) | MARK)))
    later = cache.measure("k1", body(user(text(LONG)), assistant(text("a")), user(text("b") | MARK)))
    assert later.read > first.written * 0.8
    assert later.written > 0
    assert later.read < first.written  # the mark itself has a size


def test_the_whole_prompt_can_be_marked_and_for_an_hour() -> None:
    cache = PromptCache()
    assert cache.measure("k1", body(HI, **MARK)).fresh == 0
    hour = [text(LONG + "y") | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    tokens = cache.measure("k1", body(HI, system=hour))
    assert tokens.long == tokens.written > 0


def test_the_oldest_is_forgotten() -> None:
    cache = PromptCache(limit=1)
    cache.measure("k1", body(HI))
    cache.measure("k2", body(HI))
    assert cache.measure("k1", body(HI)).read == 0
