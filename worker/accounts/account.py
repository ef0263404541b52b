"""The accounts of the pool: one per cookie export, and one per server that speaks the OpenAI API."""

import hashlib
from dataclasses import dataclass, field

# The cookie that signs an account in.
SIGN_IN = "_U"


@dataclass(frozen=True)
class Server:
    """A server that speaks the OpenAI API, and as whom it is asked.

    `base_url` is what `/chat/completions` is put behind, before its query if it has one; `key` is empty where none is
    wanted, and never logged; without an `image_model` it makes no pictures.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    image_model: str | None = None


@dataclass(frozen=True)
class Account:
    """One account: `name` is the export's file name without its ending, safe to log; `cookies` are never logged.

    An account at a `server` has a name of the operator's and no cookies. `expires` is when the cookie that signs it in
    does, in Unix seconds; None for unknown. The rest is from accounts.toml: its `weight` beside other accounts, the
    bound of its `turns` in flight over all workers (None: the common setting), how many turns a day it has (`daily`;
    None for unknown), and the address of the `proxy` that it goes out by, which may hold a password.
    """

    name: str
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    expires: float | None = None
    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None
    proxy: str | None = field(default=None, repr=False)
    server: Server | None = None

    @property
    def draws(self) -> bool:
        """Whether it makes pictures."""
        return self.server is None or self.server.image_model is not None

    @property
    def cookie_header(self) -> str:
        """All cookies as one `Cookie` header. Values go out as the browser had them, without added quotes."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def fingerprint(self) -> str:
        """Tells whether the sign-in was replaced, without telling the cookie: 16 hex digits."""
        sign_in = self.cookies[SIGN_IN] if self.server is None else f"{self.server}{self.server.key}"
        return hashlib.sha256(sign_in.encode()).hexdigest()[:16]
