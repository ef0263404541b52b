"""The addresses of pictures in messages. Pure: InvalidRequestError for one that can't be a picture's."""

import binascii
from urllib.parse import urlsplit

from gateway.openai.errors import InvalidRequestError
from wire.pictures import media_type

BASE64 = ";base64"
# Characters of what is before the content of a `data:` URL: its media type, with a few parameters.
LONGEST_HEAD = 200
# Characters of an address, but for one that is the picture itself.
MAX_ADDRESS = 8192


def check_picture_url(url: str, param: str) -> None:
    """Raise InvalidRequestError unless it is an address over HTTP, or a `data:` URL with a picture in it.

    A picture is known by its first bytes, whatever media type the URL names.
    """
    if url[:5].lower() == "data:":
        _check_content(url, param)
    elif not _is_address(url):
        message = f"'{param}' must be an address that begins with http:// or https://, or a data: URL of a picture."
        raise InvalidRequestError(message, param, "invalid_image_url")


def _is_address(url: str) -> bool:
    if len(url) > MAX_ADDRESS or not url.isprintable() or " " in url:
        return False
    try:
        address = urlsplit(url)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False


def _check_content(url: str, param: str) -> None:
    head, _, content = url.partition(",")
    try:
        if len(head) > LONGEST_HEAD or not head.lower().endswith(BASE64):
            raise ValueError
        picture = binascii.a2b_base64(content, strict_mode=True)
    except ValueError:
        raise InvalidRequestError(f"'{param}' isn't base64: data:image/png;base64,…", param, "invalid_base64") from None
    if media_type(picture[:64]) is None:
        message = f"'{param}' must be a picture: PNG, JPEG, WebP or GIF."
        raise InvalidRequestError(message, param, "invalid_image_format")
