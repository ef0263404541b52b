"""The accounts of the pool, one per cookie export."""

import hashlib
from dataclasses import dataclass, field

# The cookie that signs an account in.
SIGN_IN = "_U"


@dataclass(frozen=True)
class Account:
    """One account: `name` is the export's file name without its ending, safe to log; `cookies` are never logged.

    `expires` is when the cookie that signs it in does, in Unix seconds; None for unknown. The rest is from
    accounts.toml: its `weight` beside other accounts, the bound of its `turns` in flight over all workers (None: the
    common setting), how many turns a day it has (`daily`; None for unknown), and the address of the `proxy` that it
    goes out by, which may hold a password.
    """

    name: str
    cookies: dict[str, str] = field(repr=False)
    expires: float | None = None
    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None
    proxy: str | None = field(default=None, repr=False)

    @property
    def cookie_header(self) -> str:
        """All cookies as one `Cookie` header. Values go out as the browser had them, without added quotes."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def fingerprint(self) -> str:
        """Tells whether the sign-in was replaced, without telling the cookie: 16 hex digits."""
        return hashlib.sha256(self.cookies[SIGN_IN].encode()).hexdigest()[:16]
