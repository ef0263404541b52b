"""The scripts as files, and what holds for all of them: repeats are harmless, and all keys share a tag."""

import re
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import RepeatingStore, Scenario
from wire import keys, scripts
from wire.about import About
from wire.answers import Answers
from wire.call_memory import CallMemory, CallRecord
from wire.conversation_index import ConversationIndex, IndexedConversation
from wire.errors import KeyReusedError, StoreFullError
from wire.hmac_secret import HmacSecret
from wire.jobs import Client, IdempotencyKey
from wire.messages import Chat, Delta, Event, Final, HistoryMessage
from wire.pictures import SMALLEST, PictureStore
from wire.redis.store import Store
from wire.response_memory import RecalledResponse, ResponseMemory, StoredResponse
from wire.result_store import ResultStore
from wire.store_memory import StoreMemory

pytestmark = pytest.mark.anyio
ALICE = Client("key:alice", "alice", weight=2, daily=100)
PICTURE = "s0-" + "0a" * 24
RECORD = CallRecord("openai", "m", {"a": 1})
RESPONSE = StoredResponse("t", "o", About("chat"), 1, ())
FOLDER = Path(scripts.__file__).parent


def test_every_script_has_a_header_with_keys_arguments_and_purpose() -> None:
    assert len(scripts.names()) == len(list(FOLDER.glob("*.lua"))) - len({"prelude", "ledger"})
    for name in scripts.names():
        header = re.match(r"(-- .*\n)+", (FOLDER / f"{name}.lua").read_text())
        assert header, name
        assert "-- KEYS: " in header[0], name
        assert "ARGV: prefix" in header[0], name


def test_only_what_begins_something_is_refused_above_the_memory_limit() -> None:
    for name in scripts.names():
        first = scripts.source(name, in_memory=False).splitlines()[0]
        begins = dict.fromkeys(("enqueue", "note", "admit_pictures", "remember", "count_result"), "")
        flags = {**begins, "asked": " flags=no-writes"}
        assert first == "#!lua" + flags.get(name, " flags=allow-oom")
        assert not scripts.source(name, in_memory=True).startswith("#!")


def test_scripts_build_their_keys_from_the_one_table() -> None:
    for path in FOLDER.glob("*.lua"):
        text = path.read_text()
        assert "bing:" not in text
        assert all(kind in keys.NAMES for kind in re.findall(r"\bkey\('(\w+)'", text)), path.name


async def life(store: Store) -> list[list[Event]]:
    """Two jobs and all that can happen to them; what their readers see."""
    scenario = Scenario(store)
    await scenario.settle()
    await scenario.hire("w1", "w2", may_judge=True)
    first = await scenario.ask("first", client=ALICE, once=IdempotencyKey("name", "question"))
    second = await scenario.ask("second" * 4000, first.token, client=ALICE)
    assert await Answers(store).read_position(second.answer)
    task = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.sessions.record_refusal(task, 1)
    await scenario.sessions.mark_sent(task, 2, 1, fresh=True)
    await scenario.append(task, 1, Delta("a"))
    await scenario.append(task, 2, Delta("b"))
    exchange = (HistoryMessage("user", "first"), HistoryMessage("assistant", "ab"))
    assert await scenario.finish(task, "ab", exchange=exchange, begins=True)
    following = await scenario.take("w1")
    assert await scenario.sessions.release(following.lease)
    claimed = await scenario.sent("w2")
    assert not await scenario.finish(claimed, "cd")
    assert await scenario.sessions.release(claimed.lease)
    third = await scenario.ask("third", first.token, client=ALICE)
    await scenario.sent("w1")
    await scenario.kill("w1")
    fourth = await scenario.ask("fourth", first.token, client=ALICE)
    await scenario.sessions.reap("w2", "w1")
    last = await scenario.take("w2")
    await scenario.finish(last, "ef", keeps=False)
    index = ConversationIndex(store, ttl=60, limit=10)
    await index.record("alice", IndexedConversation(first.token, fourth.answer), ["after"], ["before"])
    assert await index.find("after") == IndexedConversation(first.token, fourth.answer)
    other = await scenario.ask("of another conversation", client=ALICE)
    dropped = await scenario.ask("of one more", client=ALICE)
    stopped = await scenario.sent("w2")
    assert await scenario.jobs.stop(dropped.answer, "alice") == "STOPPED"
    assert await scenario.take_all("w2") == []
    await scenario.jobs.sweep()
    await scenario.append(stopped, 1, Delta("a"))
    assert await scenario.jobs.stop(other.answer, "alice") == "STOPPED"
    await scenario.finish(stopped, session=None)
    await PictureStore(store).admit([(PICTURE, b"GIF89a")], ALICE.name, ttl=60, limit=9999, share=9999)
    await PictureStore(store).write(PICTURE, b"GIF89a", ttl=60)
    assert await PictureStore(store).count_bytes() == SMALLEST
    memory = CallMemory(store, StoreMemory(store))
    await memory.write(ALICE.name, {"c": RECORD}, 60)
    assert await memory.read(ALICE.name, ["c"]) == {"c": RECORD}
    responses = ResponseMemory(store, StoreMemory(store), 60)
    await responses.write(ALICE.name, first.answer, RESPONSE)
    await responses.write_end(ALICE.name, first.answer, Final("ab"))
    assert await responses.read([first.answer, "other"]) == [RecalledResponse(RESPONSE, Final("ab"), ANY), None]
    assert await ResultStore(store).admit(first.answer, 2, 1000_000)
    await ResultStore(store).write(first.answer, b"{}")
    assert await ResultStore(store).read(first.answer) == b"{}"
    await ResultStore(store).delete(second.answer)
    fifth = await scenario.ask("fifth", first.token, client=ALICE, attempt="of a proxy")
    await scenario.jobs.expire(fifth.answer)
    await scenario.sessions.end(first.token)
    return [
        await scenario.events(question.answer) for question in (first, second, third, fourth, fifth, other, dropped)
    ]


async def test_calls_that_arrive_twice_count_once(store_url: str) -> None:
    once, twice = Store(store_url), RepeatingStore(store_url)
    expected = await life(once)
    await redis_client(once).flushall()
    assert await life(twice) == expected
    assert expected[0] == [Delta("a"), Delta("b"), Final("ab")]
    await once.close()
    await twice.close()


async def test_all_keys_of_a_life_share_one_tag(store: Store) -> None:
    commands: Any = redis_client(store)
    names: set[bytes] = set()
    run = store.run

    async def watched(script: str, key: str, *args: Any) -> Any:
        assert key.startswith(str(args[0])), script
        reply = await run(script, key, *args)
        names.update(await commands.keys("*"))
        return reply

    store.run = watched  # type: ignore[method-assign]
    await life(store)
    await HmacSecret(store).read()
    names.update(await commands.keys("*"))
    assert {key[: len(keys.prefix())].decode() for key in names} == {"bing:{s0}:"}
    of_the_ledger = {
        "accounts",
        "account",
        "flight",
        "spent",
        "few",
        "handed_in",
        "export",
        "listed",
        "listing",
        "blame",
    }
    elsewhere = {"confirmed", "channel", "bell", "probe", "processes", "facts", "minute", "events"} | of_the_ledger
    kinds = {name for kind, name in keys.NAMES.items() if kind not in elsewhere}
    assert {kind for kind in kinds if not any(key.startswith(f"bing:{{s0}}:{kind}".encode()) for key in names)} == set()


async def test_every_command_of_a_script_touches_one_tag(valkey_store: Store) -> None:
    commands: Any = redis_client(valkey_store)
    async with commands.monitor() as monitor:
        await life(valkey_store)
        await redis_client(valkey_store).echo("that was all")
        touched = []
        async for entry in monitor.listen():
            if "that was all" in entry["command"]:
                break
            if entry["client_type"] == "lua":
                touched.append(entry["command"])
    assert len(touched) > 100
    for command in touched:
        name, *arguments = command.split(" ")
        if name.upper() not in ("TIME", "INFO"):
            assert arguments[0].startswith("bing:{s0}:"), command


async def test_above_the_memory_limit_only_new_jobs_are_refused(valkey_store: Store) -> None:
    scenario = Scenario(valkey_store)
    once = IdempotencyKey("name", "question")
    question = await scenario.ask(once=once)
    secret = await HmacSecret(valkey_store).read()
    await scenario.redis.config_set("maxmemory", "1")
    try:
        # A script is refused too, for a gateway that doesn't know yet that Redis is full.
        for _ in range(2):
            with pytest.raises(StoreFullError) as refused:
                await scenario.ask()
            assert refused.value.retry_after > 0
            scenario = Scenario(valkey_store)
        # What was asked before is known, a worker starts, and what was accepted ends.
        assert (await scenario.ask(once=once)).answer == question.answer
        with pytest.raises(KeyReusedError):
            await scenario.ask(once=IdempotencyKey("name", "other"))
        assert await HmacSecret(valkey_store).read() == secret
        await scenario.hire("w0", "w1")
        assert await scenario.sessions.release((await scenario.take("w0")).lease)
        task = await scenario.sent("w1")
        await scenario.append(task, 1, Delta("a"))
        await scenario.finish(task, "a")
    finally:
        await scenario.redis.config_set("maxmemory", "0")
    assert await scenario.events(question.answer) == [Delta("a"), Final("a")]


async def test_scripts_that_redis_forgot_are_loaded_again(valkey_store: Store) -> None:
    scenario = Scenario(valkey_store)
    await scenario.hire("w1")
    await scenario.redis.script_flush()
    question = await scenario.ask()
    assert (await scenario.take("w1")).answer == question.answer


async def test_arguments_by_name_and_raw_bytes_reach_redis_as_they_are(store: Store) -> None:
    scenario = Scenario(store)
    await scenario.hire("w1")
    question = 'quo"te \\ back\n\x00 雪 😀 ' + "x" * 3
    submitted = await scenario.ask(question, client=Client('na"me\\', "hol der", limit=2**31))
    task = await scenario.sent("w1")
    assert task.work == Chat("balanced", question)
    session = b'{"a": [], "b": 9007199254740993}'
    history = (HistoryMessage("user", question), HistoryMessage("assistant", ""))
    await scenario.finish(task, "text", session=session, exchange=history, begins=True)
    assert await scenario.redis.hget(keys.token_key(submitted.token), "session") == session
    assert (await scenario.sessions.read_transcript(submitted.token)).messages == history
    assert await scenario.redis.hget(keys.job_key(submitted.answer), "holder") == b"hol der"


def test_a_script_decodes_its_arguments_exactly_if_it_has_more_than_eight() -> None:
    for name in scripts.names():
        text = (FOLDER / f"{name}.lua").read_text()
        used = [int(number) for number in re.findall(r"ARGV\[(\d+)\]", text)]
        assert max(used, default=1) <= 8, name
        assert ("JSON: " in text.split("-- Returns")[0]) == ("cjson.decode(ARGV[2])" in text), name
