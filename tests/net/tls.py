"""
A TLS service for tests, and who vouches for it.
"""

from __future__ import annotations

from typing import cast

import trustme
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOFactory


class Authority:
    """
    Vouches for hosts.
    """

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def secured(self, factory: ServerFactory, host: str, clock: IReactorTime) -> ServerFactory:
        """
        Put TLS between a port and its factory.
        """
        issued = self._authority.issue_cert(host)
        pem = issued.private_key_pem.bytes() + b"".join(each.bytes() for each in issued.cert_chain_pems)
        options = PrivateCertificate.loadPEM(pem).options()
        # Twisted's type calls it a client's factory; it serves as well.
        return cast(ServerFactory, TLSMemoryBIOFactory(options, False, factory, clock))

    def trust(self, host: str) -> IOpenSSLClientConnectionCreator:
        """
        How a client dials a host that this vouches for.
        """
        root = trustRootFromCertificates([Certificate.loadPEM(self._authority.cert_pem.bytes())])
        return optionsForClientTLS(host, trustRoot=root)
