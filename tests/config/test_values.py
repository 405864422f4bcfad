"""
Tests for how values are written: :mod:`pico.config.units`, :mod:`pico.config.addresses`, :mod:`pico.config.expand`.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from pico.config.addresses import Address, ServiceAddress, parse_address, parse_service
from pico.config.expand import expand
from pico.config.nodeid import make_node_id
from pico.config.units import format_duration, format_size, parse_duration, parse_size


class UnitTests(SynchronousTestCase):
    """
    Durations and sizes.
    """

    def test_durations(self) -> None:
        """
        Go's syntax, and back.
        """
        for text, seconds in [("0", 0), ("500ms", 0.5), ("10s", 10), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5)]:
            self.assertEqual(parse_duration(text), seconds, text)
            self.assertEqual(parse_duration(format_duration(seconds)), seconds, text)
        for text in ("", "10", "s", "10 s", "-1s", "1x", "1s2"):
            with self.assertRaisesRegex(ValueError, "1m30s", msg=text):
                parse_duration(text)

    def test_sizes(self) -> None:
        """
        Binary and decimal units, and plain bytes.
        """
        for text, size in [
            ("0", 0),
            ("65536", 65536),
            ("64KiB", 65536),
            ("1MB", 10**6),
            ("1.5k", 1500),
            ("2GiB", 2**31),
        ]:
            self.assertEqual(parse_size(text), size, text)
            self.assertEqual(parse_size(format_size(size)), size, text)
        for text in ("", "x", "-1", "1 x"):
            with self.assertRaisesRegex(ValueError, "64KiB", msg=text):
                parse_size(text)


class AddressTests(SynchronousTestCase):
    """
    Where to listen, and where services are.
    """

    def test_addresses(self) -> None:
        """
        All interfaces, names, and IPv6 in brackets.
        """
        for text, host, port in [
            (":8000", "", 8000),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("[::1]:80", "::1", 80),
            ("example.com:1", "example.com", 1),
        ]:
            self.assertEqual(parse_address(text), Address(host, port))
            self.assertEqual(str(parse_address(text)), text)
        for text, hint in [
            ("8000", "host:port"),
            ("a:b", "number from 0 to 65535"),
            ("a:65536", "number from 0 to 65535"),
            ("::1:80", "brackets"),
            ("[x]:80", "IPv6"),
            ("a b:80", "host name"),
        ]:
            with self.assertRaisesRegex(ValueError, hint, msg=text):
                parse_address(text)

    def test_services(self) -> None:
        """
        A port, an address, or a URL with a path; port 65535 is one, too.
        """
        for text, service in [
            ("4000", ServiceAddress("http", "localhost", 4000)),
            ("65535", ServiceAddress("http", "localhost", 65535)),
            ("localhost:4000", ServiceAddress("http", "localhost", 4000)),
            ("[::1]:4000", ServiceAddress("http", "::1", 4000)),
            ("http://a/b/", ServiceAddress("http", "a", 80, "/b")),
            ("https://a", ServiceAddress("https", "a", 443)),
        ]:
            self.assertEqual(parse_service(text), service, text)
        for text in ("", "foo", "0", "65536", "ftp://a", "http://", "http://u:p@a", "http://a?q", "http://a/ä"):
            with self.assertRaises(ValueError, msg=text):
                parse_service(text)

    def test_secrets_stay_out_of_messages(self) -> None:
        """
        What is wrong is said without what somebody must not read.
        """
        for text in (
            "http://u:hunter2@a",
            "ftp://u:hunter2@a/",
            "http://a/?key=hunter2",
            "http://u:hunter2@a:x/ä?hunter2",
        ):
            with self.assertRaises(ValueError) as caught:
                parse_service(text)
            self.assertNotIn("hunter2", str(caught.exception))


class ExpandTests(SynchronousTestCase):
    """
    Variables in a file.
    """

    def test_table(self) -> None:
        """
        Set, empty, unset, with default, and the escape.
        """
        environment = {"A": "1", "EMPTY": ""}
        for text, expanded in [
            ("${A}", "1"),
            ("${B}", ""),
            ("${B:x:y}", "x:y"),
            ("${EMPTY:x}", ""),
            ("$$A and $A", "$A and $A"),
            ("p$$ss", "p$ss"),
        ]:
            self.assertEqual(expand(text, environment), expanded, text)


class NodeIdTests(SynchronousTestCase):
    """
    Names for nodes.
    """

    def test_names(self) -> None:
        """
        A configured name wins; else seven characters behind the prefix.
        """
        self.assertEqual(make_node_id("n", "p-", random.Random(1)), "n")
        self.assertRegex(make_node_id("", "pico-1-", random.Random(1)), r"^pico-1-[a-z0-9]{7}$")
        self.assertNotEqual(make_node_id("", "", random.Random(1)), make_node_id("", "", random.Random(2)))
