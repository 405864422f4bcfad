"""
Tests for :mod:`pico.doctor.cluster`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.config.addresses import Address
from pico.doctor.cluster import judge_datagrams, look_at_secrets, look_at_seeds
from pico.doctor.finding import Finding, Level
from tests.doctor.test_ports import returning

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL

#: The names that there are.
NAMES = {"one": ["10.0.0.1"], "many": ["10.0.0.1", "10.0.0.2"], "10.0.0.9": ["10.0.0.9"], "::1": ["::1"]}


def look_up(host: str, port: int) -> Sequence[str]:
    """
    Find a name among those.
    """
    try:
        return NAMES[host]
    except KeyError:
        raise OSError(-2, "Name or service not known") from None


class DatagramTests(SynchronousTestCase):
    """
    A UDP port that cannot be bound.
    """

    def test_table(self) -> None:
        """
        Each reason has its advice; a node that runs here already is none to stumble over.
        """
        for number, node, level, text, advice in (
            (errno.EADDRINUSE, "", FAIL, ":8003 is in use for UDP", "ss -lunp 'sport = :8003'"),
            (errno.EADDRINUSE, "n1", WARN, "held for UDP by a node that runs here, n1", "stop that node"),
            (errno.EADDRNOTAVAIL, "", FAIL, "cannot be bound for UDP: cannot assign", "cluster.gossip.bind_addr"),
        ):
            finding = judge_datagrams(Address("", 8003), OSError(number, os.strerror(number)), returning(node))
            self.assertEqual((finding.level, finding.subject), (level, "gossip port"))
            self.assertIn(text, finding.text)
            self.assertIn(advice, finding.advice)


class SecretTests(SynchronousTestCase):
    """
    Who can join.
    """

    def test_table(self) -> None:
        """
        Without a secret everybody who reaches the port; that is well where nobody else does.
        """
        for secrets, host, level, text in (
            (1, "", OK, "one is set"),
            (2, "10.0.0.1", OK, "2 are set"),
            (0, "127.0.0.1", OK, "only this machine"),
            (0, "::1", OK, "only this machine"),
            (0, "", WARN, "whoever reaches :8003 can join"),
            (0, "10.0.0.1", WARN, "whoever reaches 10.0.0.1:8003 can join"),
        ):
            (finding,) = look_at_secrets(secrets, Address(host, 8003))
            self.assertEqual(finding.level, level, finding)
            self.assertIn(text, finding.text)


class SeedTests(SynchronousTestCase):
    """
    Where the others are.
    """

    def look(self, *seeds: str, up: Sequence[str] = (), must_join: bool = True) -> list[Finding]:
        """
        Look at seeds.

        :param up: the addresses that take connections.
        """
        self.dialled: list[str] = []

        def answer(host: str, port: int, limit: float) -> bool:
            self.dialled.append(f"{host} {port}")
            self.limit = limit
            return host in up

        return list(look_at_seeds(seeds, 8003, must_join=must_join, limit=1.0, lookup=look_up, answer=answer))

    def test_found(self) -> None:
        """
        Names with their addresses, each of which is dialled at the seed's port.
        """
        found = self.look("many", "10.0.0.9:9000", "[::1]:1", up=["10.0.0.2"])
        self.assertEqual(
            [(each.level, each.subject, each.text) for each in found],
            [
                (OK, "seed many", "many is 10.0.0.1, 10.0.0.2"),
                (OK, "other nodes", "1 of 4 addresses of cluster.join take connections"),
            ],
        )
        self.assertEqual(self.dialled, ["10.0.0.1 8003", "10.0.0.2 8003", "10.0.0.9 9000", "::1 1"])
        self.assertEqual(self.limit, 0.25)

    def test_nobody_up(self) -> None:
        """
        Nobody there may be right for the first node; what it does then is told.
        """
        *_, finding = self.look("one")
        self.assertEqual(finding.level, WARN)
        self.assertIn("none of 1 addresses", finding.text)
        self.assertIn("cluster.abort_if_join_fails=false", finding.text)
        *_, finding = self.look("one", must_join=False)
        self.assertNotIn("abort_if_join_fails", finding.text)

    def test_unknown_names(self) -> None:
        """
        A name without an address is bad news where no other leads anywhere and the node must not be alone.
        """
        for seeds, must_join, level in (
            (["x"], True, FAIL),
            (["x"], False, WARN),
            (["x", "one"], True, WARN),
        ):
            found = {each.subject: each for each in self.look(*seeds, must_join=must_join, up=["10.0.0.1"])}
            self.assertEqual(found["seed x"].level, level)
            self.assertEqual(found["seed x"].text, "x has no address: name or service not known")

    def test_bound(self) -> None:
        """
        Of very many addresses only some are dialled.
        """
        NAMES["crowd"] = [f"10.1.0.{number}" for number in range(100)]
        self.addCleanup(NAMES.pop, "crowd")
        self.look("crowd")
        self.assertEqual(len(self.dialled), 8)
