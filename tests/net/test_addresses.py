"""
Tests for :mod:`pico.net.addresses`.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from pico.net.addresses import is_any, is_loopback, own_host, port_of, text_of_pair


class AddressesTests(SynchronousTestCase):
    """
    What an address says.
    """

    def test_loopback(self) -> None:
        """
        Whether only this machine reaches it.
        """
        for host, expected in [("127.0.0.1", True), ("127.1.2.3", True), ("10.0.0.1", False), ("0.0.0.0", False)]:
            self.assertEqual(is_loopback(IPv4Address("TCP", host, 1)), expected, host)
        for host, expected in [("::1", True), ("::", False), ("fd00::1", False)]:
            self.assertEqual(is_loopback(IPv6Address("TCP", host, 1)), expected, host)
        self.assertFalse(is_loopback(UNIXAddress(b"/x")))

    def test_any(self) -> None:
        """
        Whether it stands for all addresses.
        """
        self.assertEqual([is_any(host) for host in ("", "0.0.0.0", "::", "127.0.0.1")], [True, True, True, False])

    def test_texts(self) -> None:
        """
        An IPv6 address beside a port stands in brackets.
        """
        self.assertEqual(text_of_pair(("h", 1)), "h:1")
        self.assertEqual(text_of_pair(("::1", 2)), "[::1]:2")
        self.assertEqual(port_of(IPv4Address("UDP", "10.0.0.1", 3)), 3)

    def test_own(self) -> None:
        """
        This machine's own address is one that others could dial, or none.
        """
        for bound in ("0.0.0.0", "::"):
            host = own_host(bound)
            if host:
                address = ip_address(host)
                self.assertFalse(address.is_loopback or address.is_link_local or address.is_unspecified)
                self.assertTrue(bound == "::" or address.version == 4)
