"""
Tests for :mod:`pico.upstream.movables`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.upstream.movables import KNOWN, PATIENCE, SETTLED, Movables


@attrs.define(eq=False)
class Some:
    """
    A tunnel.
    """

    name: str
    in_flight: int = 0
    alone: bool = False


def chosen(tunnels: Sequence[tuple[Some, float]], count: int, now: float = 1000.0) -> str:
    """
    The names of those that are chosen.

    :param tunnels: each with its age.
    """
    movables: Movables[Some] = Movables()
    for tunnel, age in tunnels:
        movables.add(tunnel, now - age)
    return "".join(each.name for each in movables.choose(count, lambda tunnel: tunnel.alone, now))


class ChoiceTests(SynchronousTestCase):
    """
    Which ones.
    """

    def test_oldest(self) -> None:
        """
        Among equals the oldest; never more than there are.
        """
        tunnels = [(Some(name), SETTLED + 3 - index) for index, name in enumerate("abc")]
        for count, names in ((0, ""), (1, "a"), (2, "ab"), (3, "abc"), (4, "abc")):
            self.assertEqual(chosen(tunnels, count), names)

    def test_preferred(self) -> None:
        """
        Idle ones go before busy ones, those with company before those that are alone, all before those that have
        just come.
        """
        old = SETTLED + 1
        tunnels = [
            (Some("d", 1, alone=True), old),
            (Some("b", 1), old),
            (Some("c", alone=True), old),
            (Some("z", 2), old),
            (Some("a"), old),
            (Some("f", alone=True), SETTLED - 1),
            (Some("e"), SETTLED - 1),
        ]
        self.assertEqual(chosen(tunnels, 7), "abzcdef")

    def test_bounded(self) -> None:
        """
        Of very many only some are looked at, the oldest ones.
        """
        movables: Movables[Some] = Movables()
        for index in range(100_000):
            movables.add(Some(str(index), in_flight=1), index / 1000)
        looked_at: list[str] = []

        def alone(tunnel: Some) -> bool:
            looked_at.append(tunnel.name)
            return False

        self.assertEqual([each.name for each in movables.choose(2, alone, 1000)], ["0", "1"])
        self.assertLess(len(looked_at), 100)


class AskedTests(SynchronousTestCase):
    """
    Those that were asked.
    """

    def setUp(self) -> None:
        """
        Three tunnels, of which two are asked.
        """
        self.movables: Movables[Some] = Movables()
        self.tunnels = [Some(name) for name in "abc"]
        for tunnel in self.tunnels:
            self.movables.add(tunnel, 0)
        self.choose(1, 100)
        self.choose(1, 110)

    def choose(self, count: int, now: float) -> str:
        """
        Choose some.
        """
        return "".join(each.name for each in self.movables.choose(count, lambda _: False, now))

    def test_once(self) -> None:
        """
        Nobody is asked twice.
        """
        self.assertEqual(self.choose(3, 120), "c")
        self.assertEqual(self.choose(3, 1000), "")

    def test_expected(self) -> None:
        """
        They are expected to go, for a while.
        """
        for now, expected in ((110, 2), (100 + PATIENCE - 1, 2), (100 + PATIENCE, 1), (110 + PATIENCE, 0)):
            self.assertEqual(self.movables.expected_to_go(now), expected)

    def test_told(self) -> None:
        """
        Who was told to go for another reason is expected to, and not asked; whoever was asked before is not anew.
        """
        _, b, c = self.tunnels
        self.movables.told(b, 115)
        self.movables.told(c, 120)
        self.movables.told(Some("d"), 120)
        self.assertEqual(self.choose(3, 120), "")
        for now, expected in ((120, 3), (110 + PATIENCE, 1), (120 + PATIENCE, 0)):
            self.assertEqual(self.movables.expected_to_go(now), expected)

    def test_gone(self) -> None:
        """
        Who has gone is not expected to go, and not asked.
        """
        a, _, c = self.tunnels
        for _ in range(2):
            self.movables.remove(a, 110)
            self.movables.remove(c, 110)
        self.assertEqual(self.movables.expected_to_go(110), 1)
        self.assertEqual(self.choose(3, 110), "")

    def test_just_gone(self) -> None:
        """
        Who was asked and has gone must be somewhere, until everybody knows where.
        """
        for tunnel in self.tunnels:
            self.movables.remove(tunnel, 111)
        self.assertEqual(self.movables.just_gone(111), 2)
        self.assertEqual(self.movables.just_gone(111 + KNOWN), 0)
