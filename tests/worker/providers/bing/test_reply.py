import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.messages import Source, TurnCount
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.bing import frames
from worker.providers.bing.citations import MOST_MARKS
from worker.providers.bing.reply import BingReply, ReplyUpdate

STATE = b"state"


def bot(text: str | None = None, **fields: Any) -> dict[str, Any]:
    text_fields = {} if text is None else {"text": text}
    return {"author": "bot", "contentOrigin": "DeepLeo", **text_fields, **fields}


USER = {"author": "user", "text": "why?", "contentOrigin": "cib"}
APOLOGY = bot("Let's change the subject.", contentOrigin="Apology")
DISENGAGED = {"author": "bot", "messageType": "Disengaged", "hiddenText": "> Conversation disengaged"}


def update(*messages: dict[str, Any], **fields: Any) -> str:
    return json.dumps({"type": 1, "target": "update", "arguments": [{"messages": messages, **fields}]}) + "\x1e"


def final(*messages: dict[str, Any], value: str = "Success", message: str | None = None, **fields: Any) -> str:
    item = {"messages": messages, "result": {"value": value, "message": message}, **fields}
    return json.dumps({"type": 2, "item": item}) + '\x1e{"type":3}\x1e'


def throttling(used: int, limit: int) -> dict[str, int]:
    return {"maxNumUserMessagesInConversation": limit, "numUserMessagesInConversation": used}


def read(reply: BingReply, message: str) -> ReplyUpdate:
    return reply.read(message.encode())


def heard(*messages: str) -> BingReply:
    reply = BingReply()
    for message in messages:
        read(reply, message)
    return reply


def completion(*messages: str) -> Completion:
    return heard(*messages).completion(STATE)


def failure(*messages: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        completion(*messages)
    return caught.value


def test_the_text_grows_with_the_updates() -> None:
    reply = BingReply()
    assert read(reply, update(bot(""))) is ReplyUpdate.NOTHING
    assert read(reply, update(bot("a"))) is ReplyUpdate.TEXT
    assert reply.text == "a"
    assert read(reply, update(bot("a"))) is ReplyUpdate.NOTHING
    assert read(reply, update(bot("ab")) + '{"type":6}\x1e') is ReplyUpdate.TEXT
    assert reply.text == "ab"
    assert not reply.ended


def test_text_may_shrink() -> None:
    assert heard(update(bot("abc")), update(bot("ab"))).text == "ab"


def test_pings_counters_and_other_records_are_no_text() -> None:
    reply = BingReply()
    assert read(reply, '{"type":6}\x1e') is ReplyUpdate.PING
    assert read(reply, '{"type":1,"target":"update","arguments":[{"throttling":{}}]}\x1e') is ReplyUpdate.NOTHING
    assert read(reply, '{"type":1,"target":"update"}\x1e') is ReplyUpdate.NOTHING
    assert (
        read(reply, '{"type":1,"target":"other","arguments":[{"messages":[{"author":"bot","text":"x"}]}]}\x1e')
        is ReplyUpdate.NOTHING
    )
    assert read(reply, "{}\x1e") is ReplyUpdate.NOTHING
    assert reply.text == ""


def test_progress_is_not_the_answer() -> None:
    search = bot("Searching the web for: `x`", messageType="InternalSearchQuery")
    results = bot('{"web_search_results": []}', messageType="InternalSearchResult")
    loader = bot("Generating answers for you…", messageType="InternalLoaderMessage")
    card = bot("x", messageType="RenderCardRequest")
    reply = heard(update(search), update(results), update(loader), update(bot("The answer")), update(card))
    assert reply.text == "The answer"
    done = heard(final(USER, search, results, loader, bot("The answer"), card)).completion(STATE)
    assert done.text == "The answer"


def test_the_last_message_without_a_type_is_the_answer() -> None:
    assert (
        completion(final(USER, bot("first"), bot("second"), bot("x", messageType="GenerateContentQuery"))).text
        == "second"
    )


def test_the_end_carries_everything() -> None:
    answer = bot(
        "It is [^1^].",
        sourceAttributions=[{"providerDisplayName": "Name", "seeMoreUrl": "https://a"}],
        suggestedResponses=[{"text": "one"}, {"text": "two"}],
    )
    done = completion(update(bot("It")), final(USER, answer, throttling=throttling(3, 30)))
    assert done == Completion("It is .", STATE, (Source("Name", "https://a"),), ("one", "two"), TurnCount(3, 30))


def test_an_answer_of_marks_alone_is_empty() -> None:
    assert failure(final(bot("[^1^]"))).reason == "answer.empty"


@pytest.mark.parametrize("words", ["I’m still learning", "我还在学习"])
def test_an_answer_that_gives_up_ends_the_conversation(words: str) -> None:
    done = completion(update(bot("Sorry. ")), final(bot(f"Sorry. {words} to talk.")))
    assert (done.text, done.state) == (f"Sorry. {words} to talk.", None)


def test_words_of_giving_up_that_were_taken_back_end_nothing() -> None:
    assert completion(update(bot("I’m still learning")), final(bot("Cats are animals."))).state == STATE


def test_suggestions_of_an_update_are_kept() -> None:
    assert completion(update(bot("a", suggestedResponses=[{"text": "one"}])), final(bot("a"))).suggestions == ("one",)


def test_counters_of_an_update_are_kept() -> None:
    assert completion(update(throttling=throttling(2, 5)), final(bot("a"))).turns == TurnCount(2, 5)


def test_half_the_counters_are_none() -> None:
    assert completion(final(bot("a"), throttling={"numUserMessagesInConversation": 2})).turns is None


def test_the_final_text_replaces_the_streamed_one() -> None:
    assert completion(update(bot("draft")), final(bot("truth"))).text == "truth"


def test_a_final_without_messages_keeps_the_streamed_text() -> None:
    end = '{"type":2,"item":{"result":{"value":"Success"}}}\x1e'
    assert completion(update(bot("streamed")), end).text == "streamed"


def test_an_apology_after_text_keeps_the_text() -> None:
    done = completion(update(bot("An answer")), update(APOLOGY), final(USER, APOLOGY))
    assert (done.text, done.state) == ("An answer", STATE)


def test_an_apology_without_text_before_it_is_the_answer() -> None:
    assert completion(update(APOLOGY), final(USER, APOLOGY)).text == "Let's change the subject."


def test_an_apology_may_be_followed_by_an_answer() -> None:
    assert completion(update(APOLOGY), final(bot("After all"))).text == "After all"


@pytest.mark.parametrize(
    "end", [final(USER), final(), final(USER, bot(contentOrigin="Apology", hiddenText="Sorry")), final(bot(""))]
)
def test_an_end_without_text_is_an_empty_answer(end: str) -> None:
    error = failure(end)
    assert (error.reason, error.refused) == ("answer.empty", False)


def test_disengaging_ends_the_conversation() -> None:
    done = completion(update(bot("Bye")), update(DISENGAGED), final(USER, bot("Bye"), DISENGAGED))
    assert (done.text, done.state) == ("Bye", None)
    assert failure(final(USER, DISENGAGED)).reason == "session.disengaged"


def test_the_turn_limiters_words_are_the_answer_and_end_the_conversation() -> None:
    limiter = bot("Thanks for this conversation!", contentOrigin="TurnLimiter")
    done = completion(final(USER, limiter, throttling=throttling(31, 30)))
    assert (done.text, done.state, done.turns) == ("Thanks for this conversation!", None, TurnCount(31, 30))
    assert completion(final(USER, limiter)).state is None


def test_the_last_turn_ends_the_conversation() -> None:
    assert completion(final(bot("a"), throttling=throttling(29, 30))).state == STATE
    assert completion(final(bot("a"), throttling=throttling(30, 30))).state is None


@pytest.mark.parametrize(
    ("value", "reason", "refused"),
    [
        ("Throttled", "account.throttled", True),
        ("CaptchaChallenge", "account.captcha", True),
        ("InvalidSession", "session.expired", True),
        ("UnauthorizedRequest", "account.unauthorized", True),
        ("Forbidden", "account.unauthorized", True),
        ("InternalError", "upstream.internal", False),
        ("Surprise", "upstream.protocol", False),
    ],
)
def test_a_failed_turn_is_refused_only_before_any_text(value: str, reason: str, refused: bool) -> None:
    error = failure(final(value=value, message="why"))
    assert (error.reason, error.refused, error.detail) == (reason, refused, value)
    error = failure(update(bot("text")), final(value=value))
    assert (error.reason, error.refused) == (reason, False)


def test_what_fails_is_logged_without_words_that_may_repeat_the_question() -> None:
    for value in ("a question of mine", "question\nof mine", "q" * 41):
        assert failure(final(value=value, message="question")).detail == "a failure without a name"
    for kind in (3, 7):
        assert "question" not in failure(f'{{"type":{kind},"error":"question of mine"}}\x1e').detail


def test_an_end_without_a_result_is_a_protocol_error() -> None:
    assert failure('{"type":2,"item":{}}\x1e').reason == "upstream.protocol"
    assert failure('{"type":2}\x1e').reason == "upstream.protocol"


def test_no_end_at_all_is_a_cut() -> None:
    assert failure(update(bot("text"))).reason == "transport.closed"


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        ('{"type":3,"invocationId":"3"}\x1e', "upstream.internal", "the turn ended without a final frame"),
        ('{"type":3,"error":"broken"}\x1e', "upstream.internal", "broken"),
        ('{"type":7,"allowReconnect":true}\x1e', "transport.closed", "closed by the upstream"),
        ('{"type":7,"error":"going down"}\x1e', "transport.closed", "closed by the upstream"),
    ],
)
def test_an_end_by_the_protocol_breaks_the_turn_off(record: str, reason: str, detail: str) -> None:
    reply = BingReply()
    with pytest.raises(UpstreamError) as caught:
        read(reply, update(bot("text")) + record)
    assert (caught.value.reason, caught.value.detail, caught.value.refused) == (reason, detail, False)
    assert reply.text == "text"


def test_nothing_counts_after_the_end() -> None:
    assert completion(final(bot("a")) + '{"type":7}\x1e').text == "a"


messages: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["text", "author", "messageType", "contentOrigin", "adaptiveCards", "hiddenText"]),
    st.sampled_from([None, "", "bot", "text", "Apology", "Disengaged", "InternalSuggestions", 5, [], {}]),
)


@given(st.lists(st.lists(messages, max_size=3), max_size=4), st.lists(messages, max_size=3))
def test_any_turn_completes_or_fails_with_our_error(
    updates: list[list[dict[str, Any]]], last: list[dict[str, Any]]
) -> None:
    with suppress(UpstreamError):
        assert completion(*(update(*fields) for fields in updates), final(*last)).text


@pytest.mark.parametrize("field", ["messages", "arguments", "suggestedResponses", "adaptiveCards"])
def test_the_values_of_a_message_and_of_all_of_a_turn_are_bounded(field: str) -> None:
    """Each takes the event loop a microsecond and more, and the server may send them for minutes."""

    def dense(count: int) -> str:
        many: Any = [{}] * count
        if field == "arguments":
            return json.dumps({"type": 1, "target": "update", "arguments": many}) + "\x1e"
        return update(*many) if field == "messages" else update(bot(**{field: many}))

    assert failure(dense(100_000)).reason == "transport.toobig"
    assert failure(*[dense(9000)] * 30).reason == "transport.toobig"
    assert heard(*[dense(100)] * 9000, update(bot("a"))).text == "a"


def test_citation_marks_are_bounded() -> None:
    assert completion(final(bot("a" + "[^1^]" * MOST_MARKS))).text == "a"
    for mark in ("[^1^]", "[^\n"):
        assert failure(update(bot("a" + mark * (MOST_MARKS + 1)))).reason == "transport.toobig"


def test_internal_suggestions_are_read_as_far_as_any_server_sends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    read_texts: list[bytes] = []
    loads = frames._loads

    def load(data: bytes) -> Any:
        read_texts.append(bytes(data))
        return loads(data)

    monkeypatch.setattr(frames, "_loads", load)

    def internal(text: str) -> dict[str, Any]:
        return {"messageType": "InternalSuggestions", "hiddenText": text}

    offered = json.dumps({"suggestedUserResponses": ["next"]})
    assert completion(final(bot("a"), internal(offered), internal(""))).suggestions == ("next",)
    read_texts.clear()
    assert completion(final(bot("a"), *[internal('{"a":1}')] * 3000)).suggestions == ()
    assert completion(final(bot("a"), internal(json.dumps({"a": [[]] * 100_000})))).suggestions == ()
    assert len(read_texts) < 50
    assert max(map(len, read_texts)) < 100
