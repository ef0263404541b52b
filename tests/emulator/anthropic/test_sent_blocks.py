import base64

import pytest

from emulator.pictures import draw_png
from tests.support.emulator.anthropic_bodies import HI, assistant, call, read, result, text, user, wrong
from tests.support.emulator.event_reply import Json

PNG = base64.b64encode(draw_png("a")).decode()
IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PDF: Json = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
PLAIN: Json = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Long ago."}}

WRONG: dict[str, tuple[Json, str]] = {
    "an unknown type": ({"type": "image_url"}, "Input tag 'image_url' found using 'type' does not match"),
    "no type": ({"text": "a"}, "Unable to extract tag using discriminator 'type'"),
    "an unknown field": (text("a") | {"x": 1}, "text.x: Extra inputs are not permitted"),
    "an unknown media type": (
        IMAGE | {"source": IMAGE["source"] | {"media_type": "image/bmp"}},
        "image.source.base64.media_type: Input should be 'image/jpeg'",
    ),
    "no data": ({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}, "image.source.base64.data"),
    "a thought without signature": ({"type": "thinking", "thinking": "a"}, "thinking.signature: Field required"),
    "a mark on a thought": (
        {"type": "thinking", "thinking": "a", "signature": "b", "cache_control": {"type": "ephemeral"}},
        "thinking.cache_control: Extra inputs are not permitted",
    ),
    "a call without input": ({"type": "tool_use", "id": "t1", "name": "f"}, "tool_use.input: Field required"),
    "arguments as text": (call("t1") | {"input": "{}"}, "tool_use.input: Input should be a valid dictionary"),
    "an odd id": (call("t 1"), "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"),
    "a call in a result": (result("t1", [call("t2")]), "tool_result.content.0: Input tag 'tool_use'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_block_that_is_wrong_is_named(name: str) -> None:
    block, message = WRONG[name]
    assert wrong(user(block)).startswith(f"messages.0.content.0{'.' if message[0].islower() else ': '}{message}")


def test_a_picture_that_is_none_is_refused() -> None:
    source = IMAGE["source"] | {"media_type": "image/jpeg"}
    assert wrong(user({"type": "image", "source": source})).startswith("messages.0.content.0.image.source.base64.data:")


def test_pictures_and_documents_are_read() -> None:
    address = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    body = read(user(IMAGE, address, PDF, PLAIN, text("What is it?")))
    assert [picture.describe() for picture in body.pictures] == [
        f"image/png, {len(base64.b64decode(PNG))} bytes, 64x64",
        "at https://example.com/a.png",
    ]
    assert body.messages[0].text == "[document base64]\nLong ago.\nWhat is it?"


def test_results_are_messages_of_their_own() -> None:
    body = read(HI, assistant(text("a"), call("t1")), user(result("t1", [text("ok"), IMAGE]), text("and now?")))
    assert [(message.role, message.call_id) for message in body.messages[1:]] == [
        ("assistant", ""),
        ("tool", "t1"),
        ("user", ""),
    ]
    assert body.messages[1].calls[0].arguments == '{"a":1}'
    assert body.messages[2].text.startswith("ok\n[image/png, ")
    assert body.messages[3].text == "and now?"
