"""A browser's "copy as cURL", for bash or for Windows' cmd.

By hand: shlex knows neither bash's $'…', which Chrome writes whenever there is a "!", nor anything of cmd's.
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
    """Whether this is such a command."""
    return bool(_COMMAND.match(text))


def parse(text: str) -> list[Cookie]:
    """The cookies of the command, or of the commands, that ask Bing; those without an address count too."""
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
    address = next((word for word in command if word.startswith(("http://", "https://"))), "")
    for option, value in _options(command):
        name, _, content = value.partition(":")
        if option == "cookie":
            yield from parse_cookie_header(value, url_host(address))
        elif name.strip().lower() == "cookie":
            yield from parse_cookie_header(content, url_host(address))


def _options(command: list[str]) -> Iterator[tuple[str, str]]:
    """(`header` or `cookie`, its value) for each, whether the value is a word of its own or not."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word in _OPTIONS:
            yield _OPTIONS[word], following
        elif word.startswith(("-H", "-b")):
            yield _OPTIONS[word[:2]], word[2:]
        elif word.startswith(("--header=", "--cookie=")):
            option, _, value = word.partition("=")
            yield _OPTIONS[option], value


def _without_carets(text: str) -> str:
    """Undo cmd's carets: before a character, at a line's end, and (with two line ends) before a line end itself."""
    quote = re.search(r"['\"]", text)
    if quote is None or quote[0] == "'":
        return text
    return _CARET.sub(lambda found: {"\n\n": "\n", "\n": " "}.get(found[1], found[1]), text)


def _words(text: str) -> Iterator[str]:
    """The words that a shell makes of the text."""
    word: list[str] = []
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        if piece is None:
            raise CookieFileError("is a cURL command that was cut off")
        place = piece.end()
        if not piece["between"]:
            word.append(_spoken(piece))
        elif word:
            yield "".join(word)
            word = []
    yield "".join(word)


def _spoken(piece: re.Match[str]) -> str:
    """What a quoted or bare piece stands for."""
    kind = piece.lastgroup or ""
    content = piece[kind]
    if kind == "ansi":
        return _IN_ANSI.sub(lambda found: _ANSI.get(found[3], found[3]) if found[3] else _character(found), content)
    if kind == "escaped" and content == "\n":
        return ""  # the command goes on in the next line
    if kind == "quoted":
        return _IN_QUOTES.sub(lambda found: found[1] or found[2], content)
    return content


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1] or found[2], 16))
