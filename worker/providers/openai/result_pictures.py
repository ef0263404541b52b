"""Pictures that tools returned, for servers of OpenAI's API: there the message of a result takes text alone. Pure.

https://platform.openai.com/docs/api-reference/chat/create: the content of tool messages.
"""

from collections.abc import Sequence

import msgspec

from wire.prompt import Message, Part, Picture, Text

# In a picture's place, if there is no other text.
MOVED = "[The picture follows.]"


def move_pictures(messages: Sequence[Message]) -> list[Message]:
    """Return messages with the pictures of results behind the last of them, in what the user says next."""
    moved: list[Message] = []
    waiting: list[Part] = []
    for message in messages:
        if message.role == "tool":
            pictures = [part for part in message.parts if isinstance(part, Picture)]
            waiting += pictures
            moved.append(_without_pictures(message) if pictures else message)
            continue
        if waiting and message.role == "user":
            moved.append(msgspec.structs.replace(message, parts=(*waiting, *message.parts), string=False))
        else:
            moved += [*_of_user(waiting), message]
        waiting = []
    return [*moved, *_of_user(waiting)]


def _without_pictures(message: Message) -> Message:
    parts = tuple(part for part in message.parts if not isinstance(part, Picture))
    return msgspec.structs.replace(message, parts=parts or (Text(MOVED),))


def _of_user(pictures: Sequence[Part]) -> list[Message]:
    return [Message("user", tuple(pictures))] if pictures else []
