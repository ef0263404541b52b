import pytest

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.anthropic.message_habits import MessageHabits, SentParameters
from worker.providers.anthropic.request_options import ThinkingForm

SENT = SentParameters(frozenset({"temperature", "stream"}), 8192, "effort")


def refusal(words: str, parameter: str = "") -> UpstreamError:
    return UpstreamError(Reason.QUESTION_INVALID, refused=True, words=words, parameter=parameter)


def test_the_longest_answer_is_learnt() -> None:
    habits = MessageHabits()
    words = "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for m"
    assert habits.learn(refusal(words), b"", SENT) == "max_tokens"
    assert habits.most_tokens == 4096
    own = SentParameters(frozenset(), None)
    assert habits.learn(refusal(words), b"", own) == ""
    assert habits.learn(refusal(words), b"", SentParameters(frozenset(), 4096)) == ""


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
    habits = MessageHabits()
    forms: list[ThinkingForm] = []
    for form in ("effort", "budget", "none"):
        sent = SentParameters(frozenset(), 8192, form)
        forms += [habits.thinking] if habits.learn(refusal(words), b"", sent) else []
    assert forms == ["budget", "none"]
    assert habits.learn(refusal(words), b"", SentParameters(frozenset(), 8192)) == ""


def test_two_requests_with_one_refusal_are_one_step() -> None:
    habits = MessageHabits()
    for _ in range(2):
        assert habits.learn(refusal("adaptive thinking is not supported"), b"", SENT) == "thinking"
    assert habits.thinking == "budget"


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
    assert (habits.is_repeat(b"body"), habits.is_repeat(b"body")) == (True, False)
    repeat = SentParameters(frozenset(), None, None, is_repeat=True)
    assert habits.learn(refusal(words, parameter), b"body", repeat) == ""


def test_wishes_that_are_refused_are_left_out_and_what_was_not_sent_is_not() -> None:
    habits = MessageHabits()
    assert habits.learn(refusal("no", "temperature"), b"", SENT) == "temperature"
    assert habits.learn(refusal("no", "top_k"), b"", SENT) == ""
    assert habits.learn(refusal("no", "thought_signature"), b"", SENT) == ""
    assert habits.omitted == {"temperature"}


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
