import base64
import json
from typing import Any

import msgspec
import pytest

from wire.prompt import Opaque, Part, Picture, PromptRole, Refusal, Text, Thought, ToolCall
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.anthropic.content import render_call, render_part

PDF = base64.b64encode(b"%PDF").decode()
LONG = "%" * 70_000
NOTE = base64.b64encode("grüße".encode()).decode()


def rendered(part: Part, role: PromptRole = "user", *, own: bool = False, sees: bool = True) -> dict[str, Any] | None:
    return render_part(part, role, own=own, sees=sees)


def document(**source: str) -> dict[str, Any]:
    return {"type": "document", "source": source}


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (Text("a", {"cache_control": {"type": "ephemeral"}}), {"text": "a", "cache_control": {"type": "ephemeral"}}),
        (Refusal("no"), {"text": "no"}),
    ],
)
def test_what_is_text_goes_as_text(part: Part, sent: dict[str, Any]) -> None:
    assert rendered(part) == {"type": "text", **sent}


@pytest.mark.parametrize("part", [Text(""), Text(" \n"), Refusal(""), Thought("hm"), Thought("", {"reasoning": "x"})])
def test_what_the_server_would_refuse_or_not_understand_is_left_out(part: Part) -> None:
    assert rendered(part, "assistant") is None


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("data:image/png;base64,QUJD", {"type": "base64", "media_type": "image/png", "data": "QUJD"}),
        ("data:image/jpg;base64,QUJD", {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}),
        ("DATA:image/gif,ABC", {"type": "base64", "media_type": "image/gif", "data": "QUJD"}),
        ("https://a/b.png", {"type": "url", "url": "https://a/b.png"}),
    ],
)
def test_a_picture_is_its_content_or_its_address(url: str, source: dict[str, str]) -> None:
    assert rendered(Picture(url, "low")) == {"type": "image", "source": source}


@pytest.mark.parametrize("url", [f"data:image/png,{LONG}", f"data:image/png{';' * 200};base64,QUJD", "data:image/png"])
def test_a_picture_of_an_older_gateway_is_read_within_bounds(url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        rendered(Picture(url))
    assert (caught.value.reason, caught.value.elsewhere) == (Reason.MODEL_UNABLE, True)


def test_a_picture_that_nobody_can_see_is_a_note() -> None:
    note = {"type": "text", "text": "[picture]"}
    assert rendered(Picture("https://a/"), sees=False) == note
    assert rendered(Picture("https://a/"), "assistant") == note


def test_a_thought_goes_back_only_with_what_proves_it() -> None:
    assert rendered(Thought("hm", {"signature": "s"})) == {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert rendered(Thought("", {"data": "d"})) == {"type": "redacted_thinking", "data": "d"}
    assert rendered(Thought("hm", {"signature": ""})) is None


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}},
            {**document(type="base64", media_type="application/pdf", data=PDF), "title": "a.pdf"},
        ),
        (
            {"type": "input_file", "file_data": f"data:text/plain;base64,{NOTE}"},
            document(type="text", media_type="text/plain", data="grüße"),
        ),
        (
            {"type": "input_file", "file_data": "data:,a%20b"},
            document(type="text", media_type="text/plain", data="a b"),
        ),
        ({"type": "input_file", "file_url": "https://a/b.pdf"}, document(type="url", url="https://a/b.pdf")),
        ({"type": "input_file", "file_data": PDF}, document(type="base64", media_type="application/pdf", data=PDF)),
    ],
)
def test_a_file_is_a_document(part: dict[str, Any], sent: dict[str, Any]) -> None:
    assert rendered(Opaque(part)) == sent


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "input_audio", "input_audio": {}}, "a part of the type 'input_audio'"),
        ({"type": "file", "file": {"file_id": "f"}}, "a file without its content"),
        ({"type": "file", "file": {"file_data": "data:audio/wav;base64,QUJD"}}, "a file of the type 'audio/wav'"),
        ({"type": "file", "file": {"file_data": "data:text/csv;base64,Q"}}, "a file whose content is no base64"),
        ({"type": "input_file", "file_data": f"data:text/plain,{LONG}"}, "a long data: URL that isn't base64"),
        ({"type": "input_file", "file_data": f"DATA:text/plain{';' * 200};base64,QUJD"}, "a data: URL without"),
        ({"type": "input_file", "file_data": f"data:{LONG}"}, "a data: URL without its content"),
    ],
)
def test_what_the_api_has_no_form_for_is_refused_by_name(part: dict[str, Any], words: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        rendered(Opaque(part))
    error = caught.value
    assert (error.reason, error.refused, error.elsewhere) == (Reason.MODEL_UNABLE, True, True)
    assert words in error.words


def test_blocks_of_this_api_go_as_they_came() -> None:
    block = {"type": "search_result", "source": "s", "content": []}
    assert rendered(Opaque(block), own=True) is block


def test_old_reasoning_of_other_apis_is_left_out() -> None:
    assert rendered(Opaque({"type": "reasoning", "text": "hm"}), "assistant") is None
    kept_block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert rendered(Opaque(kept_block), "assistant") == kept_block


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (ToolCall("c", "add", '{"a": 1.0, "b": 123456789012345678901234567890}'), None),
        (ToolCall("c", "add", " "), {}),
        (ToolCall("c", "add", "[1]"), {"INVALID_JSON": "[1]"}),
        (ToolCall("c", "add", '{"a'), {"INVALID_JSON": '{"a'}),
        (ToolCall("c", "run", '{"a": 1}', custom=True), {"input": '{"a": 1}'}),
    ],
)
def test_arguments_go_as_they_were_written_or_inside_an_object(call: ToolCall, given: Any) -> None:
    sent = msgspec.json.encode(render_call(call, "c")["input"]).decode()
    assert sent == (call.arguments if given is None else json.dumps(given, separators=(",", ":")))
