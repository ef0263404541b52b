import ssl

from worker.providers.connections.resuming_context import open_tls_context


def test_it_checks_certificates_and_hosts_by_the_known_authorities() -> None:
    context, usual = open_tls_context(), ssl.create_default_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (context.minimum_version, context.options) == (usual.minimum_version, usual.options)
    assert context.cert_store_stats()["x509_ca"] >= max(100, usual.cert_store_stats()["x509_ca"])
