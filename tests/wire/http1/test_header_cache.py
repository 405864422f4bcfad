"""
Tests for the memory of :mod:`pico.wire.http1.headers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.errors import RemoteProtocolError
from pico.wire.http1.headers import HeaderCache

APART = b"X-Request-Id: "
REST = b"Host: a\r\nAccept: b\r\nConnection: close, x-y\r\nContent-Length: 3"


#: What a section says of its message.
NAMES = ("headers", "host", "host_fault", "length", "coding", "words", "expect", "upgrade")


class ApartTests(SynchronousTestCase):
    """
    A first line that is another one each time.
    """

    def test_rest_is_recognised(self) -> None:
        """
        Sections that differ in that line alone share the rest, and what was noted there.
        """
        cache = HeaderCache(apart=APART)
        first = cache.fields(APART + b"1\r\n" + REST)
        assert first.rest is not None
        first.rest.note = "noted"
        second = cache.fields(APART + b"2\r\n" + REST)
        self.assertIs(second.rest, first.rest)
        self.assertIs(cache.fields(REST), first.rest)
        self.assertIsNone(second.note)
        self.assertEqual([header.value for header in second.headers], [b"2", b"a", b"b", b"close, x-y", b"3"])
        self.assertEqual(first.headers[0].value, b"1")

    def test_same_meaning(self) -> None:
        """
        What the section says of the message is the same as if it were read in one.
        """
        whole = HeaderCache().fields(APART + b"1\r\n" + REST)
        apart = HeaderCache(apart=APART).fields(APART + b"1\r\n" + REST)
        self.assertIsNone(whole.rest)
        for name in NAMES:
            self.assertEqual(getattr(apart, name), getattr(whole, name), name)
        for value, section in (
            (b"1", b"Transfer-Encoding: chunked\r\nExpect: 100-continue"),
            (b"\t 1 2 \xff \t", b"Upgrade: a\r\nUpgrade: b"),
            (b"1", b"Host: a\r\nHost: a"),
            (b"", b""),
        ):
            section = APART + value + (b"\r\n" + section if section else b"")
            whole, apart = HeaderCache(len).fields(section), HeaderCache(len, apart=APART).fields(section)
            for name in NAMES:
                self.assertEqual(getattr(apart, name), getattr(whole, name), (section, name))

    def test_same_faults(self) -> None:
        """
        Nor is anything let in that would be refused in one.
        """
        for rest in (b" folded", b"no colon", b"Host: a\r\n\r\n", b"Content-Length: 1\r\n" * 2):
            for cache in (HeaderCache(), HeaderCache(apart=APART)):
                with self.assertRaises(RemoteProtocolError):
                    cache.fields(APART + b"1\r\n" + rest)
        for line in (APART + b"\x00", APART + b"a\rb"):
            for cache in (HeaderCache(), HeaderCache(apart=APART)):
                with self.assertRaises(RemoteProtocolError):
                    cache.fields(line + b"\r\nHost: a")

    def test_elsewhere(self) -> None:
        """
        In another place, or written otherwise, it is a line like others; but none that is kept.
        """
        cache = HeaderCache(apart=APART)
        for section in (b"Host: a\r\nX-Request-Id: 1", b"x-request-id: 1\r\nHost: a"):
            fields = cache.fields(section)
            self.assertIsNone(fields.rest)
            self.assertIsNot(cache.fields(section), fields)
