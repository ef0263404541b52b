"""The records of the protocol, as plain values and as text. Pure: ids and times come from outside."""

import json
import re
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

SEPARATOR = "\x1e"
HOLE = "\ue000text\ue000"  # stands for the growing text while a template is made
SERVICE_VERSION = "20240203.114"
HALF_PAIR = re.compile("[\ud800-\udfff]")


def dump(value: object) -> str:
    """Compact JSON; escapes are used only where half a surrogate pair could not be encoded otherwise."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, separators=(",", ":")) if HALF_PAIR.search(text) else text


def load(text: str) -> Json:
    value: Json = json.loads(text)
    return value


def record(value: object) -> str:
    return dump(value) + SEPARATOR


def escape(text: str) -> str:
    """Text as it stands inside a JSON string, without the quotes."""
    return dump(text)[1:-1]


def stamp(now: float, zone: str = "+00:00") -> str:
    """Time with seven digits of a second, as .NET writes it."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0" + zone


def update(request_id: str, **more: object) -> Json:
    """Type 1: what goes in besides the request id (messages, throttling, cursor)."""
    return {"type": 1, "target": "update", "arguments": [{**more, "requestId": request_id}]}


def cursor(message_id: str) -> Json:
    return {"j": f"$['{message_id}'].adaptiveCards[0].body[0].text", "p": -1}


def completion(invocation: str) -> Json:
    return {"type": 3, "invocationId": invocation}


def close(allow_reconnect: bool = True) -> Json:
    return {"type": 7, "error": "Connection closed with an error.", "allowReconnect": allow_reconnect}


def throttling(limit: int, used: int) -> Json:
    return {"maxNumUserMessagesInConversation": limit, "numUserMessagesInConversation": used}


def text_block(text: str) -> Json:
    return {"type": "TextBlock", "text": text, "wrap": True}


def small_block(text: str) -> Json:
    return {"type": "TextBlock", "size": "small", "text": text, "wrap": True}


def rich_block(text: str) -> Json:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "isSubtle": True, "italic": True, "text": text}]}


def card(*body: Json) -> list[Json]:
    return [{"type": "AdaptiveCard", "version": "1.0", "body": list(body)}]


def feedback() -> Json:
    return {"tag": None, "updatedOn": None, "type": "None"}


def bot_message(text: str, message_id: str, now: float, **more: object) -> Json:
    """A message by the bot. What is given besides replaces or follows the usual fields."""
    message: Json = {
        "text": text,
        "author": "bot",
        "createdAt": stamp(now),
        "timestamp": stamp(now),
        "messageId": message_id,
        "offense": "Unknown",
        "adaptiveCards": card(text_block(text)),
        "sourceAttributions": [],
        "feedback": feedback(),
        "contentOrigin": "DeepLeo",
        "privacy": None,
    }
    return message | more


def without(message: Json, *names: str) -> Json:
    return {name: value for name, value in message.items() if name not in names}


def settled(message: Json, request_id: str) -> Json:
    """A message as the final item lists it: with the request's id, and judged harmless."""
    return message | {"requestId": request_id, "offense": "None"}


def user_message(text: str, client: str, message_id: str, request_id: str, now: float, locale: str) -> Json:
    kind = {"classification": "DEEP_LEO", "score": None}
    return {
        "text": text,
        "author": "user",
        "from": {"id": client, "name": None},
        "createdAt": stamp(now),
        "timestamp": stamp(now),
        "locale": locale,
        "market": locale,
        "region": locale[-2:],
        "messageId": message_id,
        "requestId": request_id,
        "nlu": {
            "scoredClassification": kind,
            "classificationRanking": [kind],
            "qualifyingClassifications": None,
            "ood": None,
            "metaData": None,
            "entities": None,
        },
        "offense": "None",
        "feedback": feedback(),
        "contentOrigin": "cib",
        "privacy": None,
        "inputMethod": "Keyboard",
    }


def suggestion(text: str, message_id: str, now: float) -> Json:
    return {
        "text": text,
        "author": "user",
        "createdAt": stamp(now),
        "timestamp": stamp(now),
        "messageId": message_id,
        "messageType": "Suggestion",
        "offense": "Unknown",
        "feedback": feedback(),
        "contentOrigin": "SuggestionChipsFalconService",
        "privacy": None,
    }


def result(value: str, message: str | None, error: bool = False) -> Json:
    """A turn's result; most refusals repeat their message as `error`, InvalidSession does not."""
    more = {"error": message} if error else {}
    return {"value": value, "message": message, **more, "serviceVersion": SERVICE_VERSION}


def refused_item(conversation: str, request_id: str, now: float, outcome: Json) -> Json:
    """The final item of a turn that was refused: no messages, no throttling, no expiry."""
    return {
        "firstNewMessageIndex": None,
        "suggestedResponses": None,
        "conversationId": conversation,
        "requestId": request_id,
        "telemetry": {"metrics": None, "startTime": stamp(now, "Z")},
        "result": outcome,
    }


def answered_item(
    messages: list[Json],
    conversation: str,
    request_id: str,
    started: float,
    expires: float,
    limit: int,
    used: int,
    text: str,
) -> Json:
    """The final item of a turn that ran to its end. started, expires: seconds since 1970."""
    by_bot = any(message.get("author") == "bot" for message in messages)
    long_documents = {
        "maxNumLongDocSummaryUserMessagesInConversation": 5,
        "numLongDocSummaryUserMessagesInConversation": 0,
    }
    return {
        "messages": messages,
        "firstNewMessageIndex": 1 if by_bot else None,
        "defaultChatName": None,
        "conversationId": conversation,
        "requestId": request_id,
        "conversationExpiryTime": stamp(expires, "Z"),
        "shouldInitiateConversation": True,
        "telemetry": {"metrics": None, "startTime": stamp(started, "Z")},
        "throttling": throttling(limit, used) | long_documents,
        "result": result("Success", text),
    }


class Template:
    """An update whose text grows: everything around the text is encoded once."""

    def __init__(self, value: Json) -> None:
        self._parts = record(value).split(HOLE)

    def fill(self, escaped: str) -> str:
        """The record with the text, already escaped, in every place that holds it."""
        return escaped.join(self._parts)
