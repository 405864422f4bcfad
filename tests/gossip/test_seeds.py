"""
Tests for :mod:`pico.gossip.seeds`.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.limits import DEFAULT_TIMING
from pico.gossip.seeds import Seeds, parse_seed


class ParseTests(SynchronousTestCase):
    """
    Seeds as people write them.
    """

    def test_right(self) -> None:
        """
        Names and addresses of both families, with and without a port.
        """
        for text, expected in [
            ("node-1", ("node-1", 8003)),
            ("node-1:9", ("node-1", 9)),
            (" pico.example.com. ", ("pico.example.com.", 8003)),
            ("_gossip._udp.example", ("_gossip._udp.example", 8003)),
            ("10.0.0.1", ("10.0.0.1", 8003)),
            ("10.0.0.1:65535", ("10.0.0.1", 65535)),
            ("::1", ("::1", 8003)),
            ("fd00::12:34", ("fd00::12:34", 8003)),
            ("[::1]", ("::1", 8003)),
            ("[fd00::1]:1", ("fd00::1", 1)),
        ]:
            self.assertEqual(expected, parse_seed(text, 8003), text)

    def test_wrong(self) -> None:
        """
        What cannot be meant is refused, with what would be right.
        """
        for text, reason in [
            ("", "not a host name"),
            (":8003", "not a host name"),
            ("a b", "not a host name"),
            ("http://node:1", "is no address"),
            ("node:", "the port must be"),
            ("node:0", "the port must be"),
            ("node:65536", "the port must be"),
            ("node:x", "the port must be"),
            ("a:b:c", "write host, host:port, or"),
            ("[::1", "write an IPv6 address"),
            ("[::1]8003", "write an IPv6 address"),
            ("[node]:1", "write an IPv6 address"),
            ("[::1]:", "the port must be"),
        ]:
            with self.assertRaises(ValueError, msg=text) as caught:
                parse_seed(text, 8003)
            self.assertIn(reason, str(caught.exception))


class SeedsTests(SynchronousTestCase):
    """
    When which seed is tried.
    """

    def seeds(self, count: int) -> tuple[Seeds, list[tuple[str, int]]]:
        """
        Some seeds.
        """
        seeds = Seeds(DEFAULT_TIMING, Random(1))
        addresses = [(f"10.0.0.{number}", 8003) for number in range(count)]
        seeds.replace(addresses)
        return seeds, addresses

    def test_alone(self) -> None:
        """
        Who is alone tries often, three at a time, and all in the long run.
        """
        seeds, addresses = self.seeds(10)
        now, tried, times = 0.0, set(), 0
        while now < 20:
            if seeds.is_due(now):
                chosen = seeds.choose(now, [])
                self.assertEqual(3, len(set(chosen)))
                tried.update(chosen)
                times += 1
            now += 0.01
        self.assertEqual(set(addresses), tried)
        self.assertTrue(30 < times < 50, times)

    def test_not_alone(self) -> None:
        """
        Who knows others tries the seeds that are none of them, for ever, but less often.
        """
        seeds, addresses = self.seeds(3)
        self.assertEqual(addresses[2:], seeds.choose(0.0, addresses[:2]))
        self.assertFalse(seeds.is_due(3.0))
        self.assertTrue(seeds.is_due(6.5))
        self.assertEqual([], seeds.choose(6.5, addresses))

    def test_ourselves(self) -> None:
        """
        A seed that turns out to be ourselves is not tried again, until there are other seeds.
        """
        seeds, addresses = self.seeds(2)
        seeds.is_us(addresses[0])
        seeds.is_us(("192.0.2.1", 1))
        self.assertEqual(addresses[1:], seeds.choose(0.0, []))
        seeds.replace(addresses[1:])
        seeds.choose(0.0, [])
        seeds.replace(addresses)
        self.assertEqual(set(addresses), set(seeds.choose(0.0, [])))

    def test_only_ourselves(self) -> None:
        """
        Whether there is anybody else to be found is known when all seeds are, and only if there are any.
        """
        ours = ("10.9.9.9", 8003)
        seeds, addresses = self.seeds(2)
        self.assertFalse(seeds.only(ours))
        seeds.is_us(addresses[0])
        self.assertFalse(seeds.only(ours))
        self.assertTrue(seeds.only(addresses[1]))
        seeds.is_us(addresses[1])
        self.assertTrue(seeds.only(ours))
        seeds.replace([])
        self.assertFalse(seeds.only(ours))

    def test_none(self) -> None:
        """
        Without seeds nothing is ever due.
        """
        seeds, _ = self.seeds(0)
        self.assertFalse(seeds.is_due(1e9))
