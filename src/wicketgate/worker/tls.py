"""TLS towards clients: the server's context, and what certificate a client has shown in it.
A certificate must never count that the context in use did not verify."""

import asyncio
import ssl


def shown(transport: asyncio.Transport) -> bytes | None:
    """The client's verified certificate (DER); None: it showed none. A resumed connection has that of the
    handshake which it resumes, in which the same context verified it: its time is to be asked for again."""
    certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return bytes(certificate) if certificate else None


def server_context(
    certificate: str, key: str, client_ca: str | None, alpn: tuple[str, ...]
) -> ssl.SSLContext:
    """TLS 1.2 or newer towards clients; with `client_ca`, client certificates are taken and verified, and no
    tickets are given out by which a connection would begin without.

    Raises OSError or ssl.SSLError where the files can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(cafile=client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
