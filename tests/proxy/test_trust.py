"""
Tests for :mod:`pico.proxy.trust`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.errors import ConfigError
from pico.proxy.trust import TrustedProxies
from pico.wire.http1.headers import Header


class TrustedProxiesTests(SynchronousTestCase):
    """
    Addresses and networks, of both families.
    """

    def test_members(self) -> None:
        """
        An address belongs if a listed network holds it, also when it is mapped into IPv6.
        """
        trusted = TrustedProxies(["10.0.0.0/8", "192.0.2.1", "fd00::/8"])
        for host, expected in [
            ("10.1.2.3", True),
            ("11.1.2.3", False),
            ("192.0.2.1", True),
            ("192.0.2.2", False),
            ("fd00::1", True),
            ("fe80::1", False),
            ("::ffff:10.0.0.1", True),
            ("not an address", False),
            ("", False),
        ]:
            self.assertEqual(host in trusted, expected, host)

    def test_nobody(self) -> None:
        """
        Without a list nobody is trusted.
        """
        self.assertNotIn("127.0.0.1", TrustedProxies([]))

    def test_bad_entry(self) -> None:
        """
        The error names the setting and what would be right.
        """
        with self.assertRaisesRegex(ConfigError, r"proxy\.trusted_proxies.*10\.0\.0\.0/8"):
            TrustedProxies(["localhost"])


class ClientTests(SynchronousTestCase):
    """
    Who asks.
    """

    def test_chain(self) -> None:
        """
        What a trusted proxy has written is believed, and what another one wrote before it only if that is trusted too.
        """
        trusted = TrustedProxies(["10.0.0.0/8", "fd00::/8"])
        for peer, values, client in [
            ("192.0.2.1", [], "192.0.2.1"),
            ("192.0.2.1", [b"203.0.113.7"], "192.0.2.1"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", [b"203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", [b"203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", [b"6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", [b"6.6.6.6", b"203.0.113.7,10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", [b"10.0.0.3 , 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", [b"203.0.113.7:4000"], "203.0.113.7"),
            ("fd00::1", [b"[2001:db8::1]:4000"], "2001:db8::1"),
            ("fd00::1", [b"2001:DB8::1"], "2001:db8::1"),
            ("10.0.0.1", [b"203.0.113.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", [b"203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", [b"\x1b[31m\xff"], "10.0.0.1"),
        ]:
            headers = [Header(b"accept", b"1.1.1.1", b"", 0, 0)]
            headers += [Header(b"x-forwarded-for", value, b"", 0, 0) for value in values]
            self.assertEqual(trusted.client_of(peer, headers), client, (peer, values))

    def test_bounded(self) -> None:
        """
        Not every address that ever came is remembered.
        """
        trusted = TrustedProxies(["10.0.0.0/8"])
        for number in range(10_000):
            self.assertNotIn(f"host{number}", trusted)
        self.assertLess(len(trusted._known), 5000)
