"""The records of the chat socket's protocol, as plain values and as text. Ids and times come from outside."""

from datetime import UTC, datetime

from emulator.json_text import Json, dump

SEPARATOR = "\x1e"
HOLE = "\ue000text\ue000"  # takes the place of the growing text while a template is made
SERVICE_VERSION = "20240203.114"


def record(value: object) -> str:
    """Return a value as a record with its separator."""
    return dump(value) + SEPARATOR


def escape(text: str) -> str:
    """Return a text as it is inside a JSON string, without the quotes."""
    return dump(text)[1:-1]


def join_pairs(text: str) -> str:
    """Return a text in which two halves of a surrogate pair are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def stamp(now: float, zone: str = "+00:00") -> str:
    """Return a time with seven digits of a second, as .NET writes it."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0" + zone


def update(request_id: str, **fields: object) -> Json:
    """Return a record of type 1 with these fields (messages, throttling, cursor) beside the request id."""
    return {"type": 1, "target": "update", "arguments": [{**fields, "requestId": request_id}]}


def cursor(message_id: str) -> Json:
    """Return where in a message's card the text grows."""
    return {"j": f"$['{message_id}'].adaptiveCards[0].body[0].text", "p": -1}


def completion(invocation: str) -> Json:
    """Return a record of type 3, which ends an invocation."""
    return {"type": 3, "invocationId": invocation}


def close(allow_reconnect: bool = True) -> Json:
    """Return a record of type 7, which closes the connection."""
    return {"type": 7, "error": "Connection closed with an error.", "allowReconnect": allow_reconnect}


def throttling(limit: int, used: int) -> Json:
    """Return the counters of a conversation's questions."""
    return {"maxNumUserMessagesInConversation": limit, "numUserMessagesInConversation": used}


def text_block(text: str) -> Json:
    """Return a block of a card with a text."""
    return {"type": "TextBlock", "text": text, "wrap": True}


def small_block(text: str) -> Json:
    """Return a block of a card with a small text."""
    return {"type": "TextBlock", "size": "small", "text": text, "wrap": True}


def rich_block(text: str) -> Json:
    """Return a block of a card with a subtle text, as notes have it."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "isSubtle": True, "italic": True, "text": text}]}


def card(*body: Json) -> list[Json]:
    """Return a message's cards: one card with these blocks."""
    return [{"type": "AdaptiveCard", "version": "1.0", "body": list(body)}]


def text_card(text: str) -> list[Json]:
    """Return a message's cards: one card with only a text."""
    return card(text_block(text))


def attribution(title: str, url: str, query: str) -> Json:
    """Return the attribution of a source."""
    return {"providerDisplayName": title, "seeMoreUrl": url, "searchQuery": query}


def feedback() -> Json:
    """Return the feedback of a message that has none."""
    return {"tag": None, "updatedOn": None, "type": "None"}


def bot_message(text: str, message_id: str, now: float, **fields: object) -> Json:
    """Return a message by the bot. `fields` replace or follow the usual ones."""
    message: Json = {
        "text": text,
        "author": "bot",
        "createdAt": stamp(now),
        "timestamp": stamp(now),
        "messageId": message_id,
        "offense": "Unknown",
        "adaptiveCards": text_card(text),
        "sourceAttributions": [],
        "feedback": feedback(),
        "contentOrigin": "DeepLeo",
        "privacy": None,
    }
    return message | fields


def without(message: Json, *names: str) -> Json:
    """Return a message without these fields."""
    return {name: value for name, value in message.items() if name not in names}


def settled(message: Json, request_id: str) -> Json:
    """Return a message as the final item lists it: with the request's id, and judged harmless."""
    return message | {"requestId": request_id, "offense": "None"}


def user_message(text: str, client: str, message_id: str, request_id: str, now: float, locale: str) -> Json:
    """Return the user's question as a message."""
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
    """Return a suggestion for the next question."""
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
    """Return a turn's result; most refusals repeat their message as `error`, InvalidSession does not."""
    repeated = {"error": message} if error else {}
    return {"value": value, "message": message, **repeated, "serviceVersion": SERVICE_VERSION}


def refused_item(conversation: str, request_id: str, now: float, turn_result: Json) -> Json:
    """Return the final item of a turn that was refused: no messages, no throttling, no expiry."""
    return {
        "firstNewMessageIndex": None,
        "suggestedResponses": None,
        "conversationId": conversation,
        "requestId": request_id,
        "telemetry": {"metrics": None, "startTime": stamp(now, "Z")},
        "result": turn_result,
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
    """Return the final item of a turn that ran to its end. started, expires: seconds since 1970."""
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


class FrameTemplate:
    """An update whose text grows: everything around the text is encoded once."""

    def __init__(self, value: Json) -> None:
        self._parts = record(value).split(HOLE)

    def fill(self, escaped: str) -> str:
        """Return the record with the text, already escaped, in every place that holds it."""
        return escaped.join(self._parts)
