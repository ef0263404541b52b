"""A TLS context whose connections resume an earlier session, so that they need no whole handshake."""

import ssl
from contextvars import ContextVar

import certifi

# The session that a connection resumes which is opened in this context. asyncio has no parameter for it.
RESUMED: ContextVar[ssl.SSLSession | None] = ContextVar("RESUMED", default=None)


class ResumingContext(ssl.SSLContext):
    """A context for clients; a connection resumes the session that RESUMED has when it is opened.

    Who opens it has the session: one that accounts share would show a server that they are one worker's.
    """

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection's TLS; asyncio calls this, and uvloop."""
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session or RESUMED.get())


def open_tls_context() -> ResumingContext:
    """Create a context with the system's certificates and the browsers', for HTTP/1.1."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
