"""Which account a conversation prefers: the same one each time, without anything to remember.

A server that has seen a conversation's beginning answers sooner, and may charge less for what it has kept of it.
"""

import hashlib
import math
from collections.abc import Mapping

import msgspec

from wire.prompt import Message, Prompt, pictures

# The characters of a picture's address that count: it may be the picture itself.
_ADDRESS = 1000
# The number of values of 64 bits.
_VALUES = 2**64


def sticky_key(client: str, prompt: Prompt, model: str) -> bytes:
    """Return what all requests of one conversation have in common, and no other conversation has.

    That is the session that its client names; else how it begins.
    """
    begin = ["session", prompt.session] if prompt.session else _begin(prompt)
    return hashlib.blake2b(msgspec.json.encode([client, model, *begin]), digest_size=16).digest()


def _begin(prompt: Prompt) -> list[str]:
    """Return the texts up to the first message of the user, whose extra fields may differ from turn to turn."""
    texts = ["messages"]
    for message in prompt.messages:
        texts += [message.role, message.text, *_addresses(message)]
        if message.role == "user":
            break
    return texts


def _addresses(message: Message) -> list[str]:
    return [picture.url[:_ADDRESS] for picture in pictures([message])]


def preferred(key: bytes, weights: Mapping[str, float]) -> str:
    """Return the account that a key prefers (rendezvous hashing); '' without any.

    Each account is preferred by a share of all keys according to its weight. When one comes or goes, only the keys
    that prefer it change.
    """
    return max(weights, key=lambda name: (_score(key, name, weights[name]), name), default="")


def _score(key: bytes, name: str, weight: float) -> float:
    value = int.from_bytes(hashlib.blake2b(name.encode(), key=key, digest_size=8).digest())
    return -weight / math.log((value + 0.5) / _VALUES)
