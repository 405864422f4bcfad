"""
Tests for :mod:`pico.proxy.headers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.proxy.headers import Fate, fate_of, request_lines
from tests.heads import request_head


class FateTests(SynchronousTestCase):
    """
    Every header has one fate.
    """

    def test_table(self) -> None:
        """
        Hop-by-hop and own headers end here, everything else travels.
        """
        for name, fate in [
            (b"accept", Fate.PASS),
            (b"authorization", Fate.PASS),
            (b"x-picolo", Fate.PASS),
            (b"x-pico-node", Fate.DROP),
            (b"x-piko-forward", Fate.DROP),
            (b"x-piko-authorization", Fate.DROP),
            (b"x-pico-endpoint", Fate.ENDPOINT),
            (b"connection", Fate.DROP),
            (b"keep-alive", Fate.DROP),
            (b"transfer-encoding", Fate.DROP),
            (b"proxy-authorization", Fate.DROP),
            (b"host", Fate.HOST),
            (b"te", Fate.TE),
            (b"x-real-ip", Fate.FORWARDED),
        ]:
            self.assertEqual(fate_of(name), fate, name)


class RequestLinesTests(SynchronousTestCase):
    """
    What the service gets to see.
    """

    def _lines(self, *lines: bytes, trusted: bool = False, secure: bool = False) -> list[bytes]:
        head = request_head(b"\r\n".join([b"GET / HTTP/1.1", b"Host: e.x", *lines, b"", b""]), fate_of)
        return request_lines(head, peer="192.0.2.1", secure=secure, trusted=trusted)

    def test_plain(self) -> None:
        """
        Lines travel byte for byte and in order; where the request comes from is added.
        """
        self.assertEqual(
            self._lines(b"Accept:  a/b", b"x-pico-endpoint: e", b"Cookie: c", b"Authorization: Basic x"),
            [
                b"Accept:  a/b",
                b"Cookie: c",
                b"Authorization: Basic x",
                b"Host: e.x",
                b"X-Forwarded-For: 192.0.2.1",
                b"X-Forwarded-Host: e.x",
                b"X-Forwarded-Proto: http",
            ],
        )

    def test_named_by_connection(self) -> None:
        """
        What Connection names ends here, together with Connection itself.
        """
        lines = self._lines(b"Connection: close, X-Secret", b"X-Secret: 1", b"X-Other: 2")
        self.assertIn(b"X-Other: 2", lines)
        self.assertEqual([line for line in lines if b"Secret" in line or b"Connection" in line], [])

    def test_untrusted(self) -> None:
        """
        What a client says of where it comes from is replaced.
        """
        lines = self._lines(
            b"X-Forwarded-For: 10.0.0.1",
            b"X-Forwarded-Proto: https",
            b"X-Real-IP: 10.0.0.1",
            b"Forwarded: for=10.0.0.1",
        )
        self.assertEqual(
            lines,
            [
                b"Host: e.x",
                b"X-Forwarded-For: 192.0.2.1",
                b"X-Forwarded-Host: e.x",
                b"X-Forwarded-Proto: http",
            ],
        )

    def test_trusted(self) -> None:
        """
        A trusted proxy's word is passed on, its address added, and what it did not say is filled in.
        """
        lines = self._lines(b"X-Forwarded-For: 198.51.100.7, 10.0.0.9", b"X-Forwarded-Proto: https", trusted=True)
        self.assertEqual(
            lines,
            [
                b"Host: e.x",
                b"X-Forwarded-For: 198.51.100.7, 10.0.0.9, 192.0.2.1",
                b"X-Forwarded-Proto: https",
                b"X-Forwarded-Host: e.x",
            ],
        )

    def test_te(self) -> None:
        """
        Of TE only trailers travels.
        """
        self.assertIn(b"TE: trailers", self._lines(b"TE: gzip, trailers"))
        self.assertNotIn(b"TE: gzip", self._lines(b"TE: gzip"))

    def test_secure(self) -> None:
        """
        A client that came over TLS is said to have.
        """
        self.assertIn(b"X-Forwarded-Proto: https", self._lines(secure=True))
