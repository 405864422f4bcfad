"""
Tests for :mod:`pico.proxy.trust`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.errors import ConfigError
from pico.proxy.trust import TrustedProxies


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
