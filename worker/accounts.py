"""The accounts of the pool, one per cookie export."""

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """One account: `name` is the export's file name without its ending, safe to log; `cookies` are never logged."""

    name: str
    cookies: dict[str, str] = field(repr=False)
    expires: float | None = None
    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None

    @property
    def fingerprint(self) -> str:
        """Tells whether the cookie was replaced, without telling the cookie."""
        return hashlib.sha256(self.cookies.get("_U", "").encode()).hexdigest()[:16]

    @property
    def cookie_header(self) -> str:
        """All cookies as one `Cookie` header. Values go out as the browser had them, without added quotes."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())
