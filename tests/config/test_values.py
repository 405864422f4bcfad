"""
Tests for how values are written: :mod:`pico.config.units`, :mod:`pico.config.addresses`, :mod:`pico.config.expand`.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from pico.config.addresses import Address, ServiceAddress, parse_address, parse_service
from pico.config.expand import Variables
from pico.config.nodeid import make_node_id
from pico.config.units import format_duration, format_size, parse_duration, parse_size, shown


class UnitTests(SynchronousTestCase):
    """
    Durations and sizes.
    """

    def test_durations(self) -> None:
        """
        Go's syntax, and back.
        """
        for text, seconds in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 0.5),
            ("10s", 10),
            ("1m30s", 90),
            ("1h", 3600),
            ("1.5s", 1.5),
            (".5s", 0.5),
            ("1.5h", 5400),
            ("250us", 0.00025),
            ("250µs", 0.00025),
            ("5ns", 5e-9),
            ("59m59.9999s", 3599.9999),
            ("2d", 172800),
        ]:
            self.assertEqual(parse_duration(text), seconds, text)
            self.assertEqual(parse_duration(format_duration(seconds)), seconds, text)
        for text in ("", "10", "s", "10 s", "-1s", "1x", "1s2", "1e3s", "٣s", "9" * 400 + "s"):
            with self.assertRaisesRegex(ValueError, "1m30s", msg=text):
                parse_duration(text)
        self.assertRaisesRegex(ValueError, "is 10s meant", parse_duration, "10")
        self.assertRaisesRegex(ValueError, "hundred years", parse_duration, "999999h")

    def test_shortest_form(self) -> None:
        """
        Durations are shown in the largest units that fit.
        """
        for seconds, text in [(60, "1m"), (3600, "1h"), (5400, "1h30m"), (0.1, "100ms"), (1.25, "1.25s"), (0, "0")]:
            self.assertEqual(format_duration(seconds), text)

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
            ("1Ki", 1024),
            ("0.5kb", 500),
        ]:
            self.assertEqual(parse_size(text), size, text)
            self.assertEqual(parse_size(format_size(size)), size, text)
        for text in ("", "x", "-1", "1 x", "1e3", "9" * 400):
            with self.assertRaisesRegex(ValueError, "64KiB", msg=text):
                parse_size(text)
        self.assertRaisesRegex(ValueError, "whole number", parse_size, "1.5")
        self.assertRaisesRegex(ValueError, "count", parse_size, "999999TiB")

    def test_messages(self) -> None:
        """
        A value in a message is on one line and not endless.
        """
        self.assertEqual(shown("a\nb"), "'a\\nb'")
        self.assertLess(len(shown("x" * 1000)), 70)


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
            ("http://Bücher.test", ServiceAddress("http", "xn--bcher-kva.test", 80)),
            ("Bücher.test:4000", ServiceAddress("http", "xn--bcher-kva.test", 4000)),
            ("http://[::1]/@", ServiceAddress("http", "::1", 80, "/@")),
        ]:
            self.assertEqual(parse_service(text), service, text)
        for text, hint in (
            ("", "no port"),
            ("foo", "no port"),
            ("0", "number from 1"),
            ("65536", "number from 1"),
            ("ftp://a", "http or https"),
            ("http://", "no host"),
            ("http://a?q", "only scheme"),
            ("http://a/ä", "percent-encoded"),
            ("http://a:0", "port 0"),
            ("http://a b", "not a host name"),
            ("http://a..b", "not a host name"),
            ("a..b:80", "not a host name"),
            ("http://1.2.3.256", "not a host name"),
            ("http://-", "not a host name"),
        ):
            with self.assertRaisesRegex(ValueError, hint, msg=text):
                parse_service(text)

    def test_credentials(self) -> None:
        """
        A service's URL with a password is refused without showing it, whatever else is wrong with it.
        """
        for text in (
            "http://u:s3cret@a",
            "http://u:s3cret@a:x",
            "ftp://s3cret@a",
            "http://u:s3cret@[a/b",
            "u:s3cret@a:80",
        ):
            with self.assertRaisesRegex(ValueError, "user and password") as caught:
                parse_service(text)
            self.assertNotIn("s3cret", str(caught.exception))


class ExpandTests(SynchronousTestCase):
    """
    Variables in a file.
    """

    def test_table(self) -> None:
        """
        Set, empty, unset, with default, and the escape.
        """
        environment = {"A": "1", "EMPTY": "", "WILD": "x: [y] # z"}
        for text, expanded in [
            ("${A}", "1"),
            ("${B:x:y}", "x:y"),
            ("${B:}", ""),
            ("${EMPTY:x}", ""),
            ("$$A and $A", "$A and $A"),
            ("p$$ss", "p$ss"),
            ("$${A}", "${A}"),
            ("-${WILD}-${A}-", "-x: [y] # z-1-"),
            ("\ue000${A}\ue0000\ue001", "\ue0001\ue0000\ue001"),
            ("$", "$"),
        ]:
            variables = Variables(text, environment)
            self.assertEqual(variables.fill(variables.text), (expanded, []), text)

    def test_faults(self) -> None:
        """
        What is not set and has no default, and what is no variable.
        """
        for text, problem in [
            ("x${B}", "the environment variable B is not set, and ${B} has no default"),
            ("${", "'${' is not ${VARIABLE} or ${VARIABLE:default}; write $$ for a dollar sign"),
            ("${A", "'${A' is not ${VARIABLE}"),
            ("${}", "'${}' is not"),
            ("${1A}", "'${1A}' is not"),
            ("${A-b}", "'${A-b}' is not"),
        ]:
            variables = Variables(text, {"A": "1"})
            _, problems = variables.fill(variables.text)
            self.assertEqual(len(problems), 1, text)
            self.assertTrue(problems[0].startswith(problem), problems)

    def test_marks_are_no_syntax(self) -> None:
        """
        Nothing of a variable is left in the text that YAML reads.
        """
        self.assertEqual(set("${:}") & set(Variables("{a: ${B:c}, b: $$}", {}).text), set("{:}"))


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
