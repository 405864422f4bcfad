"""
Tests for :mod:`pico.agent.endpoints`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.endpoints import MAX_ERROR, Endpoints


@attrs.define(eq=False)
class FakeTunnel:
    """
    A tunnel that has carried what the test says.
    """

    bytes_received: int = 0
    bytes_sent: int = 0
    streams: int = 0
    over: bool = False


class EndpointStateTests(SynchronousTestCase):
    """
    One endpoint, from its first try on.
    """

    def setUp(self) -> None:
        self.endpoints = Endpoints()
        self.state = self.endpoints.add("e", 100.0)

    def test_beginning(self) -> None:
        """
        It looks for a tunnel, and nothing is known to be wrong.
        """
        state = self.state
        self.assertEqual((state.connected, state.since, state.last_error), (False, 100.0, ""))
        self.assertFalse(self.endpoints.ready(102.0))

    def got(self, node: str, now: float, *serving: FakeTunnel, tunnel: FakeTunnel | None = None) -> FakeTunnel:
        """
        A tunnel stands, beside others.
        """
        tunnel = tunnel or FakeTunnel()
        self.state.got(tunnel, node, [*serving, tunnel], now)
        return tunnel

    def held(self) -> list[tuple[str, float]]:
        """
        Node and time of the tunnels that serve.
        """
        return [(held.node, held.since) for held in self.state.serving]

    def test_connected(self) -> None:
        """
        A tunnel is there, since when and to which node is known, and so is what was wrong before.
        """
        state = self.state
        state.lost("refused", [], 101.0)
        self.assertEqual((state.since, state.failed_dials, state.losses), (100.0, 1, 0))
        self.got("n1", 102.0)
        self.assertEqual((state.connected, state.since, self.held()), (True, 102.0, [("n1", 102.0)]))
        self.assertEqual((state.last_error, state.last_error_at), ("refused", 101.0))
        self.assertEqual((state.connects, state.reconnects), (1, 0))
        for now, ready in ((102.0, False), (102.9, False), (103.0, True), (1.0, True)):
            self.assertIs(self.endpoints.ready(now), ready, now)

    def test_lost(self) -> None:
        """
        It has had none since it lost it, however often it tries.
        """
        state = self.state
        self.got("n1", 102.0)
        state.lost("gone", [], 103.0)
        state.lost("cannot connect", [], 104.0)
        self.assertEqual((state.connected, state.since, self.held()), (False, 103.0, []))
        self.assertEqual((state.losses, state.failed_dials), (1, 1))
        self.assertEqual((state.last_error, state.last_error_at), ("cannot connect", 104.0))
        self.got("n2", 105.0)
        self.assertEqual((state.connected, state.since, state.reconnects), (True, 105.0, 1))

    def test_several(self) -> None:
        """
        With one of two tunnels it is served, and has been all the time.
        """
        state = self.state = self.endpoints.add("e", 100.0, wanted=2)
        first = self.got("n1", 102.0)
        second = self.got("n2", 103.0, first)
        self.assertEqual((state.since, state.nodes, state.reconnects), (102.0, 2, 0))
        state.lost("gone", [second], 104.0)
        state.lost("cannot connect", [second], 105.0)
        self.assertEqual((state.connected, state.since, self.held()), (True, 102.0, [("n2", 103.0)]))
        self.assertEqual((state.losses, state.failed_dials, state.last_error), (1, 1, "cannot connect"))
        third = self.got("n2", 106.0, second)
        self.assertEqual((state.nodes, state.reconnects), (1, 1))
        state.lost("gone", [third], 107.0)
        state.lost("gone", [], 108.0)
        self.assertEqual((state.connected, state.since, state.losses), (False, 108.0, 3))

    def test_nodes_that_say_nothing(self) -> None:
        """
        Of nodes that do not say who they are each may be another.
        """
        self.got("", 1.0, self.got("", 1.0), self.got("n1", 1.0))
        self.assertEqual(self.state.nodes, 2)
        first = self.got("", 1.0)
        self.got("", 1.0, first)
        self.assertEqual(self.state.nodes, 2)

    def test_refused(self) -> None:
        """
        A final refusal is an error like any other, counted apart.
        """
        self.state.refused("401: no", 101.0)
        self.assertEqual((self.state.refusals, self.state.failed_dials), (1, 0))
        self.assertEqual(self.state.last_error, "401: no")

    def test_replaced(self) -> None:
        """
        A tunnel that is replaced before it ends is no loss, and no gap.
        """
        state = self.state
        self.got("n1", 102.0)
        self.got("n2", 109.0)
        self.assertEqual((self.held(), state.since), ([("n2", 109.0)], 102.0))
        self.assertEqual((state.reconnects, state.losses), (1, 0))

    def test_bytes(self) -> None:
        """
        What all tunnels have carried, also those that are gone; those are not kept.
        """
        state = self.state
        first = FakeTunnel(10, 20, 3)
        self.got("n1", 1.0, tunnel=first)
        self.assertEqual((state.bytes_received, state.bytes_sent, state.streams), (10, 20, 3))
        second = FakeTunnel(100, 200, 1)
        self.got("n2", 2.0, tunnel=second)
        first.bytes_received = 11
        self.assertEqual((state.bytes_received, state.bytes_sent, state.streams), (111, 220, 4))
        first.over, first.streams = True, 0
        self.assertEqual((state.bytes_received, state.bytes_sent, state.streams), (111, 220, 1))
        for _ in range(3):
            self.got("n3", 3.0, tunnel=FakeTunnel(1, 1, 1, over=True))
            self.assertLessEqual(len(state._tunnels), 2)
        self.assertEqual((state.bytes_received, state.bytes_sent), (114, 223))

    def test_bound(self) -> None:
        """
        An error of any length is kept to a bearable one.
        """
        self.state.lost("x" * 10_000, [], 1.0)
        self.assertEqual(len(self.state.last_error), MAX_ERROR)


class EndpointsTests(SynchronousTestCase):
    """
    Several endpoints.
    """

    def test_ready(self) -> None:
        """
        Ready means all of them, for a second, and not on the way out.
        """
        endpoints = Endpoints()
        first, second = endpoints.add("e", 0.0), endpoints.add("e", 0.0)
        self.assertEqual(list(endpoints), [first, second])
        for state, ready in ((first, False), (second, True)):
            tunnel = FakeTunnel()
            state.got(tunnel, "", [tunnel], 1.0)
            self.assertIs(endpoints.ready(2.0), ready)
        endpoints.stopping = True
        self.assertFalse(endpoints.ready(2.0))
