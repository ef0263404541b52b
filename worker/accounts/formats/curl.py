"""Parse a browser's "copy as cURL", for bash or for Windows' cmd.

shlex isn't used: it supports neither bash's $'…', which Chrome writes whenever there is a "!", nor cmd's syntax.
"""

import re
from collections.abc import Iterator

from worker.accounts.cookies import Cookie, CookieFileError, is_bing_domain
from worker.accounts.formats.header import parse_cookie_header, url_host

_COMMAND = re.compile(r"(\$ )?curl(\.exe)?\s")
_CARET = re.compile(r"\^(\n\n|.)", re.DOTALL)
_PIECE = re.compile(
    r"""\$'(?P<ansi>(?:[^'\\]|\\.)*)' | '(?P<plain>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.|"")*)" """
    r"""| \\(?P<escaped>.) | (?P<bare>[^\s'"\\$]+|\$(?!')) | (?P<between>\s+)""",
    re.VERBOSE | re.DOTALL,
)
_IN_ANSI = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_IN_QUOTES = re.compile(r'\\([\\"$`])|"(")')
_ANSI = {"n": "\n", "r": "\r", "t": "\t"}
_OPTIONS = {"-H": "header", "--header": "header", "-b": "cookie", "--cookie": "cookie"}


def recognises(text: str) -> bool:
    """Return whether the text is such a command."""
    return bool(_COMMAND.match(text))


def parse(text: str) -> list[Cookie]:
    """Return the cookies of the commands that request Bing, or that have no URL."""
    commands: list[list[str]] = []
    for word in _words(_without_carets(text)):
        if word in ("curl", "curl.exe"):
            commands.append([])
        elif commands:
            commands[-1].append(word)
    cookies = [cookie for command in commands for cookie in _cookies(command)]
    if not cookies:
        raise CookieFileError("is a cURL command without cookies: copy it while signed in at www.bing.com")
    return [cookie for cookie in cookies if is_bing_domain(cookie.domain)] or cookies


def _cookies(command: list[str]) -> Iterator[Cookie]:
    url = next((word for word in command if word.startswith(("http://", "https://"))), "")
    for option, value in _options(command):
        name, _, content = value.partition(":")
        if option == "cookie":
            yield from parse_cookie_header(value, url_host(url))
        elif name.strip().lower() == "cookie":
            yield from parse_cookie_header(content, url_host(url))


def _options(command: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (`header` or `cookie`, value) for each option, whether the value is a separate word or not."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word in _OPTIONS:
            yield _OPTIONS[word], following
        elif word.startswith(("-H", "-b")):
            yield _OPTIONS[word[:2]], word[2:]
        elif word.startswith(("--header=", "--cookie=")):
            option, _, value = word.partition("=")
            yield _OPTIONS[option], value


def _without_carets(text: str) -> str:
    """Remove cmd's carets: before a character, at a line's end, and (with two line ends) before a line end itself."""
    quote = re.search(r"['\"]", text)
    if quote is None or quote[0] == "'":
        return text
    return _CARET.sub(lambda match: {"\n\n": "\n", "\n": " "}.get(match[1], match[1]), text)


def _words(text: str) -> Iterator[str]:
    """Split the text into words as a shell does."""
    word: list[str] = []
    position = 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise CookieFileError("is a cURL command that was cut off")
        position = piece.end()
        if not piece["between"]:
            word.append(_unquote(piece))
        elif word:
            yield "".join(word)
            word = []
    yield "".join(word)


def _unquote(piece: re.Match[str]) -> str:
    """Return the text of a quoted or bare piece."""
    kind = piece.lastgroup or ""
    content = piece[kind]
    if kind == "ansi":
        return _IN_ANSI.sub(lambda match: _ANSI.get(match[3], match[3]) if match[3] else _character(match), content)
    if kind == "escaped" and content == "\n":
        return ""  # the command continues in the next line
    if kind == "quoted":
        return _IN_QUOTES.sub(lambda match: match[1] or match[2], content)
    return content


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1] or match[2], 16))
