"""What a request of this API asks for, as a task whose answer is composed of blocks."""

from emulator import reply
from emulator.openai.message_history import OpenTurn
from emulator.openai.request_body import CompletionBody
from emulator.openai.turn import CompletionTurn
from emulator.reply import ReplyTask, ScriptedReply

THOUGHTS = 3  # of a model that thinks, or is asked to


def compose(body: CompletionBody, turn: OpenTurn, prompt: CompletionTurn) -> tuple[ScriptedReply | None, bool]:
    """Return the blocks of an answer, None if there are none, and whether the ordinary text follows them."""
    blocks, is_ordinary = reply.compose(describe(body, turn, prompt))
    if not blocks:
        return None, is_ordinary
    finish = prompt.style.named_finish if body.tools.is_named else None
    return ScriptedReply(blocks, finish_reason=finish), is_ordinary


def describe(body: CompletionBody, turn: OpenTurn, prompt: CompletionTurn) -> ReplyTask:
    """Return the task that a request sets."""
    return ReplyTask(
        topic=prompt.topic,
        directives=turn.directives,
        tools=body.tools.tools,
        mode=body.tools.mode,
        names=body.tools.names,
        parallel=body.tools.parallel,
        results=turn.results,
        calls=prompt.style.calls,
        thoughts=_count_thoughts(body, prompt),
        schema=body.parameters.schema,
        is_json=body.parameters.is_json,
        pictures=turn.pictures,
    )


def _count_thoughts(body: CompletionBody, prompt: CompletionTurn) -> int:
    if "think" in prompt.options:
        return int(prompt.options["think"])
    effort = body.parameters.effort
    return THOUGHTS if effort not in (None, "none") or (prompt.style.thinks and effort is None) else 0
