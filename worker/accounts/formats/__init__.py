"""Parse the cookies of a file in any of the known formats, recognised by its content and not by its name."""

import codecs

import msgspec

from worker.accounts.cookies import Cookie, CookieFileError
from worker.accounts.formats import curl, har, header, json_list, netscape
from worker.accounts.formats.decoding import decode

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _JsonExport(msgspec.Struct):
    """A JSON object, with the keys that distinguish a HAR, Playwright's state, and names with values."""

    log: msgspec.Raw = msgspec.Raw(b"")
    cookies: msgspec.Raw = msgspec.Raw(b"")


_object = msgspec.json.Decoder(_JsonExport)
_named = msgspec.json.Decoder(dict[str, str])


def parse_cookies(data: bytes) -> list[Cookie]:
    """Parse the cookies of a file; of several with one name the last counts. CookieFileError if there are none."""
    text = _text(data)
    if not text:
        raise CookieFileError("is empty")
    if text[0] == "[":
        return json_list.parse(text)
    if text[0] == "{":
        return _in_object(text)
    if curl.recognises(text):
        return curl.parse(text)
    if netscape.recognises(text):
        return netscape.parse(text)
    if header.recognises(text):
        return header.parse(text)
    raise CookieFileError("is in no format that is known here: cookies/README.md lists them")


def _in_object(text: str) -> list[Cookie]:
    document = decode(_object, text, "")
    if bytes(document.log)[:1] == b"{":
        return har.parse(document.log)
    if bytes(document.cookies)[:1] == b"[":
        return json_list.parse(document.cookies)
    named = decode(
        _named, text, "is JSON, but neither a list of cookies, names with values, a Playwright state nor a HAR"
    )
    return [Cookie(name, value) for name, value in named.items()]


def _text(data: bytes) -> str:
    """Decode a file. Invalid bytes become U+FFFD, which no cookie can contain; PowerShell writes UTF-16."""
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    return data.decode(encoding, "replace").replace("\r\n", "\n").strip()
