"""Text in the character set that its sender names, by the labels of https://encoding.spec.whatwg.org/#names-and-labels."""

import re

from gateway.errors import RefusedError
from wire.reasons import Reason

UTF_8 = "utf-8"
# Labels without their punctuation. As in browsers, a set is read as its largest superset.
_CODECS = {
    **dict.fromkeys(("utf8", "unicode11utf8"), UTF_8),
    "utf16": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    **dict.fromkeys(("gb18030", "gbk", "xgbk", "gb2312", "gb231280", "euccn", "cp936", "ms936"), "gb18030"),
    "hzgb2312": "hz",
    **dict.fromkeys(("big5", "xxbig5", "big5hkscs", "cp950"), "big5hkscs"),
    **dict.fromkeys(("shiftjis", "sjis", "xsjis", "mskanji", "ms932", "cp932", "windows31j"), "cp932"),
    **dict.fromkeys(("eucjp", "xeucjp"), "euc_jp"),
    "iso2022jp": "iso2022_jp",
    **dict.fromkeys(("euckr", "ksc56011987", "korean", "cp949", "windows949"), "cp949"),
    **dict.fromkeys(("usascii", "ascii", "latin1", "iso88591"), "cp1252"),
    **{f"iso8859{part}": f"iso8859-{part}" for part in (*range(2, 12), *range(13, 17))},
    **{f"latin{number}": f"iso8859-{part}" for number, part in ((2, 2), (3, 3), (4, 4), (5, 9), (6, 10), (9, 15))},
    **{f"{maker}125{digit}": f"cp125{digit}" for digit in range(9) for maker in ("windows", "cp")},
    **dict.fromkeys(("windows874", "cp874", "tis620"), "cp874"),
    **dict.fromkeys(("ibm866", "cp866"), "cp866"),
    **dict.fromkeys(("macintosh", "mac", "xmacroman"), "mac_roman"),
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
}
_PUNCTUATION = re.compile(r"[\W_]+")


def decode_text(data: bytes, charset: str = UTF_8) -> str:
    """Return `data` as text. Raises RefusedError for bytes that the set doesn't have, or a set that isn't known."""
    codec = _CODECS.get(_PUNCTUATION.sub("", charset.lower()), "ascii")
    try:
        return data.decode(UTF_8 if codec == "cp1252" and _is_utf8(data) else codec)
    except UnicodeError:
        raise RefusedError(Reason.REQUEST_FORMAT) from None


def _is_utf8(data: bytes) -> bool:
    """Return whether `data` is UTF-8: libraries call that ASCII or Latin-1, their default, too."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
