"""
Connections to others, one step after the other, so that it can be said which one fails.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from pico.doctor.finding import Finding, fail, reason_of
from pico.net.addresses import text_of_pair

#: Addresses of a name that are tried.
_TRIED = 4

#: What to do about a certificate that is not trusted, by OpenSSL's number of the reason (X509_V_ERR_…); then whatever
#: the reason is.
_CERTIFICATE_ADVICE = {
    9: "set the clocks of both machines; its time has not come yet",
    10: "have it renewed by whoever runs that port, or set this machine's clock",
    62: "use the name that it is for, or have it made for this one as well",
    64: "use the name that it is for, or have it made for this address as well",
}
_UNKNOWN_AUTHORITY = "install the certificate of its authority on this machine, or name a file with it in SSL_CERT_FILE"

#: What a lookup finds.
_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]


class Failed(Exception):
    """
    There is no connection.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def dial(host: str, port: int, *, secure: bool, limit: float, subject: str, advice: str) -> socket.socket:
    """
    Connect, and begin TLS if it is asked for.

    :param limit: seconds for each step.
    :param subject: of the finding, when it fails.
    :param advice: what to do if nothing listens there.
    :return: the caller closes it.
    :raises Failed: says at which step.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        text = reason_of(error) if isinstance(error, OSError) else "not a name"
        what = f"{host} has no address: {text}"
        raise Failed(fail(subject, what, f"correct the name, or see what knows it: getent hosts {host}")) from None
    connection = _connect(found[:_TRIED], text_of_pair((host, port)), limit, subject, advice)
    if not secure:
        return connection
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        what = f"the certificate of {host}:{port} is not trusted: {error.verify_message.rstrip('.')}"
        advice = _CERTIFICATE_ADVICE.get(error.verify_code, _UNKNOWN_AUTHORITY)
        raise Failed(fail(subject, what, advice)) from None
    except OSError as error:
        connection.close()
        text = (getattr(error, "reason", "") or reason_of(error)).lower().replace("_", " ")
        what = f"{host}:{port} does not speak TLS: {text}"
        raise Failed(fail(subject, what, "write http:// in its URL if that is meant")) from None


def _connect(found: Sequence[_Found], where: str, limit: float, subject: str, advice: str) -> socket.socket:
    last: OSError | None = None
    for family, kind, protocol, _, name in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(limit / len(found))
        try:
            connection.connect(name)
        except OSError as error:
            connection.close()
            last = error
            continue
        connection.settimeout(limit)
        return connection
    assert last is not None
    if isinstance(last, TimeoutError):
        advice = "a packet filter in between drops what is sent there; ask whoever runs it to let it through"
    raise Failed(fail(subject, f"{where} cannot be reached: {reason_of(last)}", advice)) from None
