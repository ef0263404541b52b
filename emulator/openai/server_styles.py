"""How servers of this API differ: in how they write thoughts and calls, and in what they refuse.

A row is chosen by the model `stand-in-NAME`, by the directive `!as=NAME` or by a script.
"""

import os
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from emulator.json_text import Json
from emulator.openai import call_faults, second_rounds
from emulator.openai.call_faults import FragmentChange
from emulator.openai.second_rounds import RequestCheck

PREFIX = "stand-in-"
ALPHABET = string.ascii_letters + string.digits
ROLE: Json = {"role": "assistant", "content": "", "refusal": None}
BARE_ROLE: Json = {"role": "assistant", "content": ""}

ThoughtField = Literal["reasoning_content", "reasoning", "details", "sealed", "parts", ""]
UsageDetail = Literal["details", "cache", "plain"]


def random_id(prefix: str, length: int) -> Callable[[], str]:
    """Return a function that makes ids of so many characters behind a prefix."""
    return lambda: prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))


def call_id() -> str:
    """Return an id as OpenAI makes them."""
    return random_id("call_", 24)()


def hex_id(prefix: str) -> Callable[[], str]:
    """Return a function that makes ids of 32 hexadecimal digits behind a prefix."""
    return lambda: prefix + os.urandom(16).hex()


def no_id() -> str:
    """Return no id."""
    return ""


@dataclass(frozen=True)
class ServerStyle:
    """How a server writes, and what it refuses.

    thoughts: the field that has them; details: with signed reasoning_details, sealed: with encrypted ones, parts: as
    parts of the content, empty: hidden. thinks: whether it always does. whole_calls: a call comes in one event. index:
    of calls, counted, always 0, or none. finish: why an answer with calls ends; named_finish: if the tool had to be
    called by its name. role: the event that begins an answer; none: each event has the role. refusal: whether a whole
    message always has that field. calls: how many it makes if nobody asks. change: what happens to an answer's
    fragments.
    """

    meaning: str
    thoughts: ThoughtField = "reasoning_content"
    thinks: bool = False
    whole_calls: bool = False
    index: Literal["counted", "first", "none"] = "counted"
    make_id: Callable[[], str] = call_id
    bare_name: bool = False
    repeats_name: bool = False
    object_arguments: bool = False
    signs_calls: bool = False
    finish: str = "tool_calls"
    named_finish: str | None = None
    role: Json | None = field(default_factory=lambda: ROLE)
    opening: str = ""
    fingerprint: str | None = "fp_5ad0000000"
    fields: Json = field(default_factory=dict)
    native_reason: bool = False
    refusal: bool = True
    usage: UsageDetail = "details"
    always_usage: bool = False
    calls: int = 0
    change: FragmentChange = call_faults.keep
    check: RequestCheck = second_rounds.accept


ORDINARY = ServerStyle("a server that refuses nothing which another one takes")

SERVERS: dict[str, ServerStyle] = {
    "openai": ServerStyle(
        "OpenAI: unknown parameters and fields are refused, thoughts are only counted",
        thoughts="",
        named_finish="stop",
        check=second_rounds.openai,
    ),
    "openai-reasoning": ServerStyle(
        "OpenAI's reasoning models: max_tokens, logprobs, penalties and temperatures but 1 are refused too",
        thoughts="",
        thinks=True,
        named_finish="stop",
        check=second_rounds.openai_reasoning,
    ),
    "gemini": ServerStyle(
        "Gemini's compatible endpoint: whole calls without index, finish_reason stop, and a thought_signature in the "
        "first call's extra_content, without which the next request is 400",
        thoughts="",
        whole_calls=True,
        index="none",
        make_id=random_id("", 8),
        signs_calls=True,
        finish="stop",
        role=None,
        fingerprint=None,
        refusal=False,
        usage="plain",
        check=second_rounds.gemini,
    ),
    "deepseek": ServerStyle(
        "DeepSeek: reasoning_content, without which the next request after calls is 400",
        thinks=True,
        make_id=random_id("call_00_", 24),
        role={"role": "assistant", "content": None, "reasoning_content": ""},
        refusal=False,
        usage="cache",
        check=second_rounds.deepseek,
    ),
    "openrouter": ServerStyle(
        "OpenRouter: comments first, reasoning and signed reasoning_details, without which the next request after "
        "calls is 400",
        thoughts="details",
        thinks=True,
        make_id=random_id("toolu_", 24),
        role=BARE_ROLE,
        opening=": OPENROUTER PROCESSING\n\n",
        fingerprint=None,
        fields={"provider": "Anthropic"},
        native_reason=True,
        always_usage=True,
        check=second_rounds.openrouter,
    ),
    "openrouter-encrypted": ServerStyle(
        "OpenRouter before another model: the same with encrypted reasoning_details",
        thoughts="sealed",
        thinks=True,
        role=BARE_ROLE,
        opening=": OPENROUTER PROCESSING\n\n",
        fingerprint=None,
        fields={"provider": "OpenAI"},
        native_reason=True,
        always_usage=True,
        check=second_rounds.openrouter,
    ),
    "ollama": ServerStyle(
        "Ollama: reasoning, whole calls without index",
        thoughts="reasoning",
        whole_calls=True,
        index="none",
        make_id=random_id("call_", 8),
        role=None,
        fingerprint="fp_ollama",
        refusal=False,
        usage="plain",
    ),
    "ollama-old": ServerStyle(
        "an older Ollama: whole calls without index and id, arguments as an object, finish_reason stop",
        thoughts="reasoning",
        whole_calls=True,
        index="none",
        make_id=no_id,
        object_arguments=True,
        finish="stop",
        role=None,
        fingerprint="fp_ollama",
        refusal=False,
        usage="plain",
    ),
    "vllm": ServerStyle(
        "vLLM: reasoning_content, the name of a call before its arguments",
        make_id=hex_id("chatcmpl-tool-"),
        bare_name=True,
        role=BARE_ROLE,
        fingerprint=None,
        usage="plain",
    ),
    "llama-cpp": ServerStyle(
        "llama.cpp: reasoning_content, ids without a prefix",
        make_id=random_id("", 32),
        role={"role": "assistant", "content": None},
        fingerprint="b5000-0000000",
        refusal=False,
        usage="plain",
    ),
    "mistral": ServerStyle(
        "Mistral: whole calls, ids of nine characters, thoughts as parts of the content; unknown fields are 422",
        thoughts="parts",
        whole_calls=True,
        make_id=random_id("", 9),
        role=BARE_ROLE,
        fingerprint=None,
        refusal=False,
        usage="plain",
        always_usage=True,
        check=second_rounds.mistral,
    ),
    "groq": ServerStyle(
        "Groq: reasoning, whole calls; reasoning_content in a message is 400",
        thoughts="reasoning",
        whole_calls=True,
        make_id=random_id("", 9),
        role=BARE_ROLE,
        fingerprint="fp_0000000000",
        refusal=False,
        usage="plain",
        check=second_rounds.groq,
    ),
    "no-tools": ServerStyle(
        "an old server: tools are 400", thoughts="", fingerprint=None, usage="plain", check=second_rounds.no_tools
    ),
    "calls-new-id": ServerStyle("two calls at the same index with two ids", index="first", calls=2),
    "calls-interleaved": ServerStyle("the fragments of two calls alternate", calls=2, change=call_faults.interleave),
    "calls-no-id": ServerStyle("calls without an id", make_id=no_id, calls=1),
    "calls-no-index": ServerStyle("fragments of calls without an index", index="none", calls=2),
    "calls-bad-json": ServerStyle("arguments that are no JSON", calls=1, change=call_faults.spoil_arguments),
    "calls-named-again": ServerStyle("the name of a call in each of its fragments", repeats_name=True, calls=1),
    "calls-no-arguments": ServerStyle("a call with empty arguments", calls=1, change=call_faults.drop_arguments),
    "calls-cut": ServerStyle(
        "the answer ends inside its last call, finish_reason length",
        finish="length",
        calls=1,
        change=call_faults.cut_arguments,
    ),
    "calls-none": ServerStyle("finish_reason tool_calls without any call", change=call_faults.drop_calls, calls=1),
    "calls-stop": ServerStyle("calls with finish_reason stop", finish="stop", calls=1),
}


def find(model: str, named: str | None) -> ServerStyle:
    """Return the style that a directive or a script names, else that of the model."""
    if named in SERVERS:
        return SERVERS[named]
    return SERVERS.get(model.removeprefix(PREFIX), ORDINARY) if model.startswith(PREFIX) else ORDINARY
