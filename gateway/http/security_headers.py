"""The security headers of the pages that a gateway serves: a page may use only its own files."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src {pictures}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_headers(pictures: str, *directives: str) -> dict[str, str]:
    """Return the headers of a page's files; `pictures` is the source list of images, `directives` are further ones.

    Both are in the syntax of Content Security Policy (https://www.w3.org/TR/CSP3/).
    """
    return {
        "content-security-policy": "; ".join([_POLICY.format(pictures=pictures), *directives]),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
