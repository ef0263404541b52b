"""What the pages that a gateway serves may do: nothing but use what is theirs."""

_ALLOWED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src {pictures}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_headers(pictures: str, *more: str) -> dict[str, str]:
    """The headers of a page's files; `pictures` says where those may come from, `more` are further directives.

    As Content Security Policy has both (https://www.w3.org/TR/CSP3/).
    """
    return {
        "content-security-policy": "; ".join([_ALLOWED.format(pictures=pictures), *more]),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
