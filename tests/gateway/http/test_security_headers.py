"""The headers of pages."""

from gateway.http.security_headers import page_headers


def test_a_page_may_use_only_what_is_its_own() -> None:
    headers = page_headers("'self' data:")
    directives = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in directives
    assert "img-src 'self' data:" in directives
    assert "frame-ancestors 'none'" in directives
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


def test_further_directives_come_last() -> None:
    assert page_headers("'self'", "worker-src 'self'")["content-security-policy"].endswith("; worker-src 'self'")


def test_a_directive_replaces_the_usual_one_of_its_name() -> None:
    policy = page_headers("'self'", "base-uri 'self'")["content-security-policy"]
    assert "base-uri 'self'" in policy
    assert "base-uri 'none'" not in policy
