"""Signatures by which the server knows its own thoughts again."""

import base64
import hashlib
import hmac
from collections import OrderedDict

SECRET = b"the stand-in's own thoughts"
MARK = 16  # bytes in front, which differ from thought to thought
REMEMBERED = 10_000


def sign(shown: str, whole: str) -> str:
    """Return the signature of a thought. shown: what clients see of it."""
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).digest()[:MARK]
    return base64.b64encode(mark + _seal(mark, shown)).decode()


def is_own(shown: str, signature: str) -> bool:
    """Return whether a signature is that of this thought."""
    try:
        data = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(data[MARK:], _seal(data[:MARK], shown))


def _seal(mark: bytes, shown: str) -> bytes:
    return hmac.digest(SECRET, mark + shown.encode("utf-8", "surrogatepass"), "sha512")


class ThoughtSignatures:
    """Signatures of thoughts, also of those that a script gave as it liked."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._scripted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._limit = limit

    def remember(self, shown: str, signature: str) -> None:
        """Accept a signature that a script gave a thought."""
        self._scripted[(shown, signature)] = None
        if len(self._scripted) > self._limit:
            self._scripted.popitem(last=False)

    def is_valid(self, shown: str, signature: str) -> bool:
        """Return whether a signature is that of this thought; of one that nobody may read the text is empty."""
        return (shown, signature) in self._scripted or is_own(shown, signature)

    def clear(self) -> None:
        """Forget what scripts gave."""
        self._scripted.clear()
