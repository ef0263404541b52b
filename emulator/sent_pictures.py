"""What can be seen of a picture that a client sent."""

import base64
import binascii
import re
import struct
from dataclasses import dataclass

DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.IGNORECASE)
SIGNATURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}


@dataclass(frozen=True)
class SentPicture:
    """A picture. url: its address, empty if its content was sent. width, height: of a PNG, else 0."""

    url: str = ""
    media_type: str = ""
    size: int = 0
    width: int = 0
    height: int = 0

    def describe(self) -> str:
        """Return what is known of it in words."""
        if self.url:
            return f"at {self.url}"
        dimensions = f", {self.width}x{self.height}" if self.width else ""
        return f"{self.media_type}, {self.size} bytes{dimensions}"


def read(url: str) -> SentPicture:
    """Return what an address or a data URL shows. Raises ValueError with the reason if it is no picture."""
    if url.lower().startswith(("http://", "https://")):
        return SentPicture(url=url)
    match = DATA_URL.match(url)
    if match is None:
        raise ValueError("is neither an http(s) URL nor a base64 data URL")
    media_type = match[1].lower().replace("image/jpg", "image/jpeg")
    if media_type not in SIGNATURES:
        raise ValueError(f"has the unsupported media type {media_type}")
    try:
        content = base64.b64decode(url[match.end() :], validate=True)
    except binascii.Error as error:
        raise ValueError("is not valid base64") from error
    if not content.startswith(SIGNATURES[media_type]):
        raise ValueError(f"is not an image of the type {media_type}")
    width = height = 0
    if media_type == "image/png" and content[12:16] == b"IHDR" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
    return SentPicture("", media_type, len(content), width, height)
