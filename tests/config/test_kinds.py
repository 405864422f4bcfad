"""
Tests for :mod:`pico.config.values`: what each kind of setting takes.
"""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from pico.config.fields import Kind, Leaf, Setting
from pico.config.values import convert, written, written_default
from tests.config.support import SAMPLES


def leaf_of(kind: Kind, least: float = 0, default: object = None, most: float = inf) -> Leaf:
    """
    A setting of a kind.
    """
    return Leaf(("a", "b"), Setting(kind, "Something.", least=least, most=most), default)


class ConvertTests(SynchronousTestCase):
    """
    From text to value.
    """

    def test_values(self) -> None:
        """
        What is right.
        """
        for kind, text, value in [
            (Kind.BOOL, "true", True),
            (Kind.BOOL, "False", False),
            (Kind.COUNT, " 5 ", 5),
            (Kind.COUNT, "2147483647", 2**31 - 1),
            (Kind.DURATION, "1m30s", 90.0),
            (Kind.SIZE, "64KiB", 65536),
            (Kind.FACTOR, " 2 ", 2.0),
            (Kind.FACTOR, ".5", 0.5),
            (
                Kind.SEEDS,
                "one, two.example:1, bücher.example, 10.0.0.1, 10.0.0.1:1, ::1, [::1], [::1]:1",
                ("one", "two.example:1", "xn--bcher-kva.example", "10.0.0.1", "10.0.0.1:1", "::1", "[::1]", "[::1]:1"),
            ),
            (Kind.SECRETS, "a, b\nc\n", ("a", "b", "c")),
            (Kind.SECRETS, "", ()),
            (Kind.LEVEL, "warn", "warn"),
            (Kind.FORMAT, "json", "json"),
            (Kind.PROTOCOL, "http", "http"),
            (Kind.ADDRESS, "[::]:0", "[::]:0"),
            (Kind.ADVERTISE, "", ""),
            (Kind.ADVERTISE, "[2001:db8::1]:8000", "[2001:db8::1]:8000"),
            (Kind.NAME, "pico-1_a.b~c", "pico-1_a.b~c"),
            (Kind.HEADER, "a b", "a b"),
            (Kind.WORDS, " a, b ,,c", ("a", "b", "c")),
            (Kind.WORDS, "", ()),
            (
                Kind.NETWORKS,
                "10.0.0.1, 10.0.0.0/8, ::1, [::1], [fd00::]/8",
                (
                    "10.0.0.1",
                    "10.0.0.0/8",
                    "::1",
                    "::1",
                    "fd00::/8",
                ),
            ),
            (Kind.TEXT, " as it is ", " as it is "),
        ]:
            self.assertEqual(convert(leaf_of(kind), text), value, (kind, text))

    def test_faults(self) -> None:
        """
        What is not, and what would be.
        """
        for kind, text, problem in [
            (Kind.BOOL, "yes", "'yes' is neither true nor false"),
            (Kind.COUNT, "1.5", "'1.5' is not a whole number"),
            (Kind.COUNT, "-1", "'-1' is too little; the least is 0"),
            (Kind.COUNT, "", "'' is not a whole number"),
            (Kind.COUNT, "٣", "'٣' is not a whole number"),
            (Kind.COUNT, "2147483648", "the most is 2147483647"),
            (Kind.COUNT, "9" * 9999, "the most is 2147483647"),
            (Kind.FACTOR, "1,5", "'1,5' is not a number"),
            (Kind.FACTOR, "-1", "'-1' is not a number"),
            (Kind.FACTOR, "1e3", "is not a number"),
            (Kind.FACTOR, "nan", "is not a number"),
            (Kind.SEEDS, ":8003", "nothing to dial"),
            (Kind.SEEDS, "host:0", "nothing to dial"),
            (Kind.SEEDS, "host:x", "a number from 0 to 65535"),
            (Kind.SEEDS, "a b", "is not a host name"),
            (Kind.SEEDS, "::1:8003:x", "IPv6 address in brackets"),
            (Kind.SECRETS, "a " * 17, "there are 17; the most is 16"),
            (Kind.LEVEL, "WARN", "did you mean warn?"),
            (Kind.LEVEL, "warning", "did you mean warn?"),
            (Kind.FORMAT, "xml", "'xml' is not one of text, json"),
            (Kind.PROTOCOL, "tcp", "Pico carries no tcp yet, only http"),
            (Kind.PROTOCOL, "htp", "did you mean http?"),
            (Kind.ADDRESS, "8000", "'8000' has no port"),
            (Kind.ADDRESS, "[::1]", "'[::1]' has no port"),
            (Kind.ADDRESS, "::1", "[::1]:8000"),
            (Kind.ADDRESS, "::1:8000", "in brackets"),
            (Kind.ADDRESS, "1.2.3.4.5:1", "'1.2.3.4.5' is not a host name"),
            (Kind.ADDRESS, "256.1.1.1:1", "'256.1.1.1' is not a host name"),
            (Kind.ADDRESS, "[1.2.3.4]:1", "is not an IPv6 address"),
            (Kind.ADDRESS, "[::g]:1", "is not an IPv6 address"),
            (Kind.ADDRESS, ":٣", "a number from 0 to 65535"),
            (Kind.ADVERTISE, ":8000", "nothing that others can dial"),
            (Kind.ADVERTISE, "host:0", "nothing that others can dial"),
            (Kind.ADVERTISE, "host", "has no port"),
            (Kind.NAME, "a b", "letters, digits and"),
            (Kind.NAME, "a\r\nx-evil: 1", "letters, digits and"),
            (Kind.NAME, "a" * 256, "at most 255"),
            (Kind.HEADER, "a\nb", "visible ASCII"),
            (Kind.HEADER, " a", "without spaces around"),
            (Kind.TOKEN, "ü", "visible ASCII"),
            (Kind.NETWORKS, "10.0.0.0/8,x", "'x' is neither an address nor a network"),
            (Kind.NETWORKS, "[10.0.0.1]", "neither an address nor a network"),
            (Kind.NETWORKS, "10.0.0.0/33", "neither an address nor a network"),
            (Kind.ENDPOINT, "", "is no name for an endpoint"),
            (Kind.ENDPOINT, "a/b", "is no name for an endpoint"),
            (Kind.ENDPOINT, "a\nb", "is no name for an endpoint"),
            (Kind.ENDPOINT, "a" * 256, "is no name for an endpoint"),
            (Kind.ENDPOINT, "ä" * 128, "more than 255 bytes"),
            (Kind.SERVICE, "http://a b", "is not a host name"),
            (Kind.SERVICE, "http://h:0", "port 0"),
            (Kind.SERVICE, "http://[::1", "is not a URL"),
            (Kind.LISTENERS, "e/1,x", "'x' is not ENDPOINT/ADDR"),
        ]:
            error = self.assertRaises(ValueError, convert, leaf_of(kind), text)
            self.assertIn(problem, str(error), (kind, text[:50]))

    def test_least(self) -> None:
        """
        A number that is too little is refused, in its own unit.
        """
        for kind, least, text, expected in [
            (Kind.COUNT, 1, "0", "1"),
            (Kind.SIZE, 1024, "1023", "1KiB"),
            (Kind.DURATION, 0.001, "0", "1ms"),
            (Kind.FACTOR, 1.5, "1.25", "1.5"),
        ]:
            error = self.assertRaises(ValueError, convert, leaf_of(kind, least), text)
            self.assertEqual(str(error), f"'{text}' is too little; the least is {expected}")
            convert(leaf_of(kind, least), expected)

    def test_most(self) -> None:
        """
        A number that is too much is refused, in its own unit.
        """
        for kind, most, text, expected in [
            (Kind.COUNT, 64, "65", "64"),
            (Kind.SIZE, 1024, "1025", "1KiB"),
            (Kind.DURATION, 60, "61s", "1m"),
        ]:
            error = self.assertRaises(ValueError, convert, leaf_of(kind, most=most), text)
            self.assertEqual(str(error), f"'{text}' is too much; the most is {expected}")
            convert(leaf_of(kind, most=most), expected)

    def test_short_secrets(self) -> None:
        """
        A secret that is too short is refused without being shown, with how to make a better one.
        """
        leaf = leaf_of(Kind.SECRETS, 16)
        convert(leaf, "ä" * 8)
        for text, which in [("hunter2hunter2h", "it has 15"), ("x" * 16 + ",hunter2", "number 2 has 7")]:
            error = self.assertRaises(ValueError, convert, leaf, text)
            self.assertIn(f"{which} bytes and needs 16 at least; make one with: openssl rand -hex 32", str(error))
            self.assertNotIn("hunter2", str(error))


class WrittenTests(SynchronousTestCase):
    """
    And back.
    """

    def test_round_trip(self) -> None:
        """
        What is written is read as the same value.
        """
        for kind, texts in SAMPLES.items():
            if kind.secret or kind is Kind.LISTENERS:
                continue
            for text in texts:
                value = convert(leaf_of(kind), text)
                back = written(leaf_of(kind), value)
                again = ",".join(back) if isinstance(back, list) else str(back)
                self.assertEqual(convert(leaf_of(kind), again), value, (kind, text))

    def test_secrets(self) -> None:
        """
        A secret is never written, nor what may be one in a URL.
        """
        for kind in (Kind.SECRET, Kind.TOKEN):
            self.assertEqual(written(leaf_of(kind), "hunter2"), "********")
            self.assertEqual(written(leaf_of(kind), ""), "")
        self.assertEqual(written(leaf_of(Kind.SECRETS), ("hunter2", "hunter3")), ["********", "********"])
        for url, expected in [
            ("http://h:1/p", "http://h:1/p"),
            ("http://h:1/p?token=hunter2", "http://h:1/p?********"),
            ("http://u:hunter2@h", "http://********@h"),
            ("http://u:hun@ter2@h?hunter2", "http://********@h?********"),
            ("u:hunter2@h", "u:********@h"),
        ]:
            self.assertEqual(written(leaf_of(Kind.URLS), (url,)), expected)

    def test_urls(self) -> None:
        """
        Several URLs have commas between them; a comma within one parts nothing.
        """
        for text, urls in [
            ("http://a", ("http://a",)),
            ("http://a,https://b", ("http://a", "https://b")),
            (" http://a/?x=1,2 , ws://b", ("http://a/?x=1,2", "ws://b")),
            ("a,b", ("a,b",)),
        ]:
            self.assertEqual(convert(leaf_of(Kind.URLS), text), urls)
        hidden = written(leaf_of(Kind.URLS), ("http://a?hunter2", "http://b"))
        self.assertEqual(hidden, ["http://a?********", "http://b"])

    def test_defaults(self) -> None:
        """
        A default that is nothing is not shown.
        """
        for kind, default, text in [
            (Kind.TEXT, "", ""),
            (Kind.WORDS, (), ""),
            (Kind.BOOL, False, "false"),
            (Kind.COUNT, 0, "0"),
            (Kind.DURATION, 0.0, "0"),
            (Kind.SIZE, 65536, "64KiB"),
        ]:
            self.assertEqual(written_default(leaf_of(kind, default=default)), text)
