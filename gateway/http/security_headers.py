"""The security headers of the pages that a gateway serves: a page may use only its own files.

What is the same for every response is in gateway.server.
"""

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)


def page_headers(pictures: str, *directives: str) -> dict[str, str]:
    """Return the headers of a page's files; `pictures` is the source list of images, `directives` are further ones.

    Both are in the syntax of Content Security Policy (https://www.w3.org/TR/CSP3/). A directive replaces the usual one
    of its name.
    """
    policy = dict(directive.split(" ", 1) for directive in (*_POLICY, f"img-src {pictures}", *directives))
    return {
        "content-security-policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "referrer-policy": "no-referrer",
    }
