"""Parse a JSON list of cookies: Cookie-Editor's, EditThisCookie's, and the one in Playwright's storage state."""

import msgspec

from worker.accounts.cookies import Cookie
from worker.accounts.formats.decoding import decode, parse_time


class _ListedCookie(msgspec.Struct, rename="camel"):
    """A cookie. The extensions write `expirationDate`, Playwright `expires`; both in Unix seconds."""

    name: str
    value: str
    domain: str | None = None
    expiration_date: float | str | None = None
    expires: float | str | None = None


_entries = msgspec.json.Decoder(list[_ListedCookie])


def parse(data: str | msgspec.Raw) -> list[Cookie]:
    """Return the cookies of the list, in its order."""
    entries = decode(_entries, data, "is not a list of cookies with name and value, as Cookie-Editor exports it")
    return [
        Cookie(entry.name, entry.value, entry.domain or "", parse_time(entry.expiration_date or entry.expires))
        for entry in entries
    ]
