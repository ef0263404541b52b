"""The headers of pages."""

from gateway.http.security_headers import page_headers


def test_a_page_may_use_only_what_is_its_own() -> None:
    headers = page_headers("'self' data:")
    directives = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in directives
    assert "img-src 'self' data:" in directives
    assert "frame-ancestors 'none'" in directives
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_further_directives_come_last() -> None:
    assert page_headers("'self'", "worker-src 'self'")["content-security-policy"].endswith("; worker-src 'self'")
