"""
Tests for :mod:`pico.proxy.routing`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.errors import RemoteProtocolError
from pico.proxy.headers import fate_of
from pico.proxy.routing import endpoint_of, label_of_host
from tests.heads import request_head


def _get(*lines: bytes) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])


class EndpointTests(SynchronousTestCase):
    """
    The endpoint comes from the header, else from the host.
    """

    def _endpoint(self, *lines: bytes) -> str:
        return endpoint_of(request_head(_get(*lines), fate_of))

    def test_table(self) -> None:
        """
        Header first and verbatim, then the host's first label in lower case.
        """
        table = [
            ((b"Host: a.b", b"x-pico-endpoint: My-Endpoint"), "My-Endpoint"),
            ((b"Host: a.b", b"X-Piko-Endpoint: e"), "e"),
            ((b"Host: a.b", b"x-pico-endpoint: e", b"x-piko-endpoint: e"), "e"),
            ((b"Host: a.b", b"x-pico-endpoint:"), "a"),
            ((b"Host: My-Endpoint.example.com:9000",), "my-endpoint"),
            ((b"Host: 1.example.com",), "1"),
        ]
        for lines, endpoint in table:
            self.assertEqual(self._endpoint(*lines), endpoint, lines)

    def test_missing(self) -> None:
        """
        An address, a single name and an empty label name no endpoint.
        """
        for host in (b"127.0.0.1:9000", b"localhost:9000", b"[::1]", b"[::ffff:1.2.3.4]:80", b""):
            with self.assertRaises(RemoteProtocolError) as caught:
                self._endpoint(b"Host: " + host)
            self.assertEqual((caught.exception.code, caught.exception.reason), (400, "missing endpoint id"))

    def test_conflict(self) -> None:
        """
        Two headers that name different endpoints are refused rather than one of them believed.
        """
        for lines in (
            (b"Host: a.b", b"x-pico-endpoint: a", b"x-pico-endpoint: b"),
            (b"Host: a.b", b"x-pico-endpoint: a", b"x-piko-endpoint: b"),
        ):
            with self.assertRaises(RemoteProtocolError) as caught:
                self._endpoint(*lines)
            self.assertEqual(caught.exception.code, 400)

    def test_not_utf8(self) -> None:
        """
        A name that is not UTF-8 is refused.
        """
        with self.assertRaises(RemoteProtocolError):
            self._endpoint(b"Host: a.b", b"x-pico-endpoint: \xff")

    def test_labels(self) -> None:
        """
        Only host names of two labels and more have an endpoint.
        """
        for host, label in [
            (b"my-endpoint.piko.com:9000", "my-endpoint"),
            (b"A.B", "a"),
            (b"foo", ""),
            (b".foo", ""),
            (b"10.0.0.1", ""),
            (b"10.0.0.1.nip.io", "10"),
            (b"[fe80::1.2]", ""),
        ]:
            self.assertEqual(label_of_host(host), label, host)
