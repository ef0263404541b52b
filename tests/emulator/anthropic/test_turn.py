from emulator import scenarios
from emulator.anthropic.prompt_cache import PromptTokens
from emulator.anthropic.turn import MessageTurn
from emulator.blocks import AnswerBlock
from emulator.directives import Directives
from emulator.event_stream import FinishAnswer, SendEvent
from emulator.reply import ScriptedReply
from tests.support.emulator.event_reply import Json


def create(reply: ScriptedReply | None = None, limit: int = 500) -> MessageTurn:
    return MessageTurn(
        directives=Directives(topic="cats"),
        question="cats",
        tone=None,
        previous=None,
        number=1,
        model="stand-in",
        stream=True,
        tokens=PromptTokens(3, 5, 2, 7),
        limit=limit,
        reply=reply,
        is_ordinary=reply is None,
    )


def play(turn: MessageTurn) -> list[Json]:
    events: list[Json] = []
    for step in scenarios.plain(turn):
        if isinstance(step, SendEvent):
            events.append(step.body)
        if isinstance(step, FinishAnswer):
            events += [event.body for event in step.events]
    return events


def test_usage_at_the_start_has_all_that_the_prompt_cost() -> None:
    assert play(create())[0]["message"]["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
        "output_tokens": 1,
        "service_tier": "standard",
    }


def test_blocks_come_strictly_one_after_the_other() -> None:
    blocks = (AnswerBlock("text", "a"), AnswerBlock("tool_call", "{}", name="f"), AnswerBlock("text", "b"))
    events = [event for event in play(create(ScriptedReply(blocks))) if "index" in event]
    assert [event["index"] for event in events] == sorted(event["index"] for event in events)
    assert [event["type"] for event in events if event["type"] != "content_block_delta"] == [
        "content_block_start",
        "content_block_stop",
    ] * 3


def test_an_answer_that_is_cut_closes_its_block() -> None:
    reply = ScriptedReply((AnswerBlock("tool_call", '{"city":"Paris"}', name="f"),))
    events = play(create(reply, limit=2))
    assert events[-3]["type"] == "content_block_stop"
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"


def test_reasons_in_openais_words_are_translated() -> None:
    blocks = (AnswerBlock("text", "a"),)
    for given, expected in [("stop", "end_turn"), ("length", "max_tokens"), ("pause_turn", "pause_turn")]:
        assert play(create(ScriptedReply(blocks, finish_reason=given)))[-2]["delta"]["stop_reason"] == expected
    refused = play(create(ScriptedReply((AnswerBlock("refusal", "No."),))))[-2]["delta"]
    assert (refused["stop_reason"], refused["stop_details"]["type"]) == ("refusal", "refusal")


def test_redacted_thoughts_come_whole() -> None:
    blocks = (AnswerBlock("reasoning", "secret", extra={"data": ""}), AnswerBlock("opaque", extra={"data": "YQ=="}))
    turn = create(ScriptedReply(blocks))
    starts = [event["content_block"] for event in play(turn) if event["type"] == "content_block_start"]
    assert [start["type"] for start in starts] == ["redacted_thinking"] * 2
    assert all(turn.signatures.is_valid("", start["data"]) for start in starts)
    assert starts[1]["data"] == "YQ=="


def test_a_scripted_signature_is_sent_and_accepted() -> None:
    turn = create(ScriptedReply((AnswerBlock("reasoning", "Hm.", extra={"signature": "mine"}),)))
    deltas = [event["delta"] for event in play(turn) if event["type"] == "content_block_delta"]
    assert deltas[-1] == {"type": "signature_delta", "signature": "mine"}
    assert turn.signatures.is_valid("Hm.", "mine")
