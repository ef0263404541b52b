from dataclasses import replace

import pytest

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.anthropic.message_habits import MessageHabits, SentParameters
from worker.providers.anthropic.request_options import ThinkingForm
from worker.providers.openai.habits import FIRST, Trial

SENT = SentParameters(frozenset({"temperature", "stream"}), 8192, "effort")


def refusal(words: str, parameter: str = "") -> UpstreamError:
    return UpstreamError(Reason.QUESTION_INVALID, refused=True, words=words, parameter=parameter)


def agree(habits: MessageHabits, trial: Trial) -> list[str]:
    """Two clients' requests were answered so."""
    assert habits.confirm(trial, client="x") == []
    return habits.confirm(trial, client="y")


def test_the_longest_answer_is_learnt() -> None:
    habits = MessageHabits()
    words = "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for m"
    assert habits.learn(refusal(words), b"", SENT)
    trial = habits.find_trial(b"")
    assert (habits.longest_answer(FIRST), habits.longest_answer(trial)) == (None, 4096)
    assert agree(habits, trial) == ["max_tokens"]
    assert (habits.longest_answer(FIRST), habits.omitted) == (4096, set())
    own = SentParameters(frozenset(), None)
    assert habits.learn(refusal(words), b"", own) == ""
    assert habits.learn(refusal(words), b"", SentParameters(frozenset(), 4096)) == ""


def test_a_limit_that_a_refusal_quotes_holds_for_its_own_request_alone() -> None:
    habits = MessageHabits()
    words = """messages.0.cache_control: Input tag '"message": "max_tokens: 8192 > 1' found using 'type'"""
    assert habits.learn(refusal(words), b"", SENT)
    trial = habits.find_trial(b"")
    assert habits.learn(refusal(words), b"", SentParameters(frozenset(), 1, None, trial)) == ""
    assert habits.longest_answer(FIRST) is None


@pytest.mark.parametrize(
    "words",
    [
        "adaptive thinking is not supported on this model",
        "This model does not support the effort parameter.",
        "output_config: Extra inputs are not permitted",
        "thinking.type: Input tag 'adaptive' found using 'type' does not match any of the expected tags",
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".',
        "Unknown parameter: 'thinking'",
        'BadRequestError: {"error": {"message": "body.output_config: extra fields not permitted"}}',
    ],
)
def test_how_a_model_is_asked_to_think_is_learnt_step_by_step(words: str) -> None:
    habits, trial = MessageHabits(), FIRST
    forms: list[ThinkingForm] = []
    for form in ("effort", "budget", "none"):
        sent = SentParameters(frozenset(), 8192, form, trial)
        learnt = habits.learn(refusal(words), b"", sent)
        trial = habits.find_trial(b"")
        forms += [habits.thinking_form(trial)] if learnt else []
    assert forms == ["budget", "none"]
    assert habits.learn(refusal(words), b"", SentParameters(frozenset(), 8192)) == ""
    assert habits.thinking == "effort"
    assert (agree(habits, trial), habits.thinking, habits.omitted) == (["thinking"], "none", set())


def test_a_way_to_think_that_was_never_answered_remains_for_other_requests() -> None:
    habits = MessageHabits()
    assert habits.learn(refusal("adaptive thinking is not supported"), b"", SENT)
    trial = habits.find_trial(b"")
    assert (habits.thinking_form(trial), habits.thinking_form(FIRST)) == ("budget", "effort")
    assert habits.confirm(trial, client="x") == []
    own = habits.first_trial("x", frozenset())
    assert (habits.thinking_form(own), habits.thinking_form(FIRST)) == ("budget", "effort")
    assert (habits.confirm(trial, client="y"), habits.confirm(trial, client="z")) == (["thinking"], [])
    assert (habits.thinking_form(FIRST), habits.confirm(FIRST)) == ("budget", [])


@pytest.mark.parametrize(
    ("words", "parameter"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", ""),
        ("`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.", ""),
        ("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.", ""),
        ("no", "signature"),
    ],
)
def test_old_thoughts_that_are_refused_are_left_out_once(words: str, parameter: str) -> None:
    habits = MessageHabits()
    assert habits.learn(refusal(words, parameter), b"body", SENT) == "signature"
    trial = habits.find_trial(b"body")
    assert not trial.thinking
    repeat = SentParameters(frozenset(), None, None, trial)
    assert habits.learn(refusal(words, parameter), b"repeated", repeat) == ""


def test_wishes_that_are_refused_are_left_out_and_what_was_not_sent_is_not() -> None:
    habits = MessageHabits()
    assert habits.learn(refusal("no", "temperature"), b"", SENT) == "temperature"
    assert habits.learn(refusal("no", "top_k"), b"", SENT) == ""
    assert habits.learn(refusal("no", "thought_signature"), b"", SENT) == ""
    assert agree(habits, habits.find_trial(b"")) == ["temperature"]
    assert habits.omitted == {"temperature"}


@pytest.mark.parametrize(
    ("words", "omitted"),
    [
        ("temperature: Input should be greater than or equal to 0", set()),
        ("temperature must be between 0 and 1", set()),
        ("", set()),
        ("`temperature` is deprecated for this model.", {"temperature"}),
        ("temperature: Extra inputs are not permitted", {"temperature"}),
    ],
)
def test_a_value_that_is_refused_is_its_clients_and_a_name_the_servers(words: str, omitted: set[str]) -> None:
    habits, own = MessageHabits(), replace(SENT, own=frozenset({"temperature"}))
    assert habits.learn(refusal(words, "temperature"), b"", own) == "temperature"
    agree(habits, habits.find_trial(b""))
    assert habits.omitted == omitted


@pytest.mark.parametrize(
    "words",
    [
        "tools.0.custom.name: String should match the pattern: 'thinking'",
        "messages.3: `tool_use` ids were found without `tool_result` blocks immediately after: thinking. Each",
        "`max_tokens` must be greater than `thinking.budget_tokens`",
        "messages.1.content.0.thinking: Field required",
        "messages.1: unexpected id 'max_tokens: 8192 > 1'",
        "max_tokens: 9000 > 1",
    ],
)
def test_words_about_one_clients_values_teach_nothing(words: str) -> None:
    habits = MessageHabits()
    assert habits.learn(refusal(words), b"", SENT) == ""
    assert habits == MessageHabits()
