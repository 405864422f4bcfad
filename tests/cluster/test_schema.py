"""
Tests for :mod:`pico.cluster.schema`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.cluster.schema import (
    Fact,
    Served,
    UnknownKey,
    may_be_published,
    read_fact,
    read_key,
    read_served,
    write_key,
    write_served,
)
from pico.gossip.limits import DEFAULT_LIMITS
from pico.names import EndpointKey, TenantId


def key_of(endpoint: str, tenant: str = "") -> EndpointKey:
    """
    A key.
    """
    return EndpointKey(TenantId(tenant), endpoint)


class KeyTests(SynchronousTestCase):
    """
    What keys are about.
    """

    def test_bytes(self) -> None:
        """
        Each key has its bytes, and they are read as the same key.
        """
        for key, data in [
            (key_of("e"), b"/\0e"),
            (key_of("e", "t"), b"/t\0e"),
            (key_of("ä b/c", "/"), "//\0ä b/c".encode()),
        ]:
            self.assertEqual(write_key(key), data)
            self.assertEqual(read_key(data), key)
        self.assertEqual([read_key(fact.value) for fact in Fact], list(Fact))

    def test_unknown(self) -> None:
        """
        What this version does not know is told apart.
        """
        for data in [
            b"x",
            b"proxy_addr2",
            b"/",
            b"/e",
            b"/t\0",
            b"/t\0e\0f",
            b"/\xff\0e",
            b"/t\0\xff",
            b"/" + b"t" * 256 + b"\0e",
            b"/t\0" + b"e" * 256,
        ]:
            self.assertRaises(UnknownKey, read_key, data)

    def test_longest(self) -> None:
        """
        The longest names that may be published make a key that gossip takes; longer ones, and those that could be taken
        for others, may not.
        """
        longest = key_of("ä" * 127 + "e", "t" * 255)
        self.assertTrue(may_be_published(longest))
        self.assertEqual(len(write_key(longest)), DEFAULT_LIMITS.max_key)
        for key in (key_of("ä" * 128), key_of("e", "t" * 256), key_of(""), key_of("e\0f"), key_of("e", "t\0")):
            self.assertFalse(may_be_published(key), key)


class ValueTests(SynchronousTestCase):
    """
    What values say.
    """

    def test_served(self) -> None:
        """
        Tunnels and load; a later version may say more.
        """
        for value, served in [
            (b"1 0", Served(1, 0)),
            (b"20000 65536", Served(20_000, 65_536)),
            (b"2147483647 2147483647", Served(2**31 - 1, 2**31 - 1)),
        ]:
            self.assertEqual(read_served(value), served)
            self.assertEqual(write_served(served), value)
        self.assertEqual(read_served(b"3 4 more words"), Served(3, 4))

    def test_not_served(self) -> None:
        """
        Anything else is nothing.
        """
        for value in [
            b"",
            b"1",
            b"0 0",
            b"-1 0",
            b"1 -1",
            b"1  0",
            b"x 0",
            b"1 x",
            b"1_0 0",
            b"2147483648 0",
            b"9" * 99,
        ]:
            self.assertRaises(UnknownKey, read_served, value)

    def test_fact(self) -> None:
        """
        A fact is short and visible.
        """
        self.assertEqual(read_fact(b"10.0.0.1:8000"), "10.0.0.1:8000")
        self.assertEqual(read_fact(b"x" * 255), "x" * 255)
        for value in [b"x" * 256, b"\x1b[2J", "ä".encode(), b"\xff", b"a\nb"]:
            self.assertRaises(UnknownKey, read_fact, value)
