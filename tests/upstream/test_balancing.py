"""
Tests for :mod:`pico.upstream.balancing`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.interfaces import IUpstream
from pico.names import DEFAULT_TENANT, EndpointKey
from pico.upstream.balancing import least_in_flight


@implementer(IUpstream)
@attrs.define(eq=False)
class FakeUpstream:
    """
    An upstream that is only looked at.
    """

    in_flight: int = 0
    avoid_until: float = 0.0
    available: bool = True
    key: EndpointKey = attrs.field(factory=lambda: EndpointKey(DEFAULT_TENANT, "e"))
    address: str = "192.0.2.1:4000"


class LeastInFlightTests(SynchronousTestCase):
    """
    The least busy takes the request.
    """

    def test_fake(self) -> None:
        """
        The fake is an upstream.
        """
        verifyObject(IUpstream, FakeUpstream())

    def test_table(self) -> None:
        """
        (in flight, start, tried) → chosen.
        """
        for loads, start, tried, chosen in [
            ([0], 0, [], 0),
            ([3, 1, 2], 0, [], 1),
            ([1, 1, 1], 0, [], 0),
            ([1, 1, 1], 2, [], 2),
            ([0, 1, 0], 1, [], 2),
            ([0, 5], 0, [0], 1),
            ([0, 0], 0, [0, 1], None),
            ([], 0, [], None),
        ]:
            upstreams = [FakeUpstream(load) for load in loads]
            failed = [upstreams[index] for index in tried]
            self.assertEqual(least_in_flight(upstreams, start, failed, 0.0), chosen, (loads, start, tried))

    def test_turns(self) -> None:
        """
        Equals take turns when the caller moves the start.
        """
        upstreams = [FakeUpstream() for _ in range(3)]
        start = 0
        order = []
        for _ in range(6):
            index = least_in_flight(upstreams, start, (), 0.0)
            assert index is not None
            order.append(index)
            start = (index + 1) % 3
        self.assertEqual(order, [0, 1, 2, 0, 1, 2])

    def test_avoided(self) -> None:
        """
        One that has just failed is chosen only when there is no other.
        """
        bad, good = FakeUpstream(0, avoid_until=10.0), FakeUpstream(7)
        self.assertEqual(least_in_flight([bad, good], 0, (), 9.0), 1)
        self.assertEqual(least_in_flight([bad, good], 0, (), 10.0), 0)
        self.assertEqual(least_in_flight([bad, good], 0, (good,), 9.0), 0)
