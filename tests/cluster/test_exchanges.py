"""
Tests for :mod:`pico.cluster.exchanges`.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, ServerFactory
from twisted.logger import capturedLogs, formatEvent

from pico.cluster.exchanges import EXCHANGE_TIMEOUT, MAX_EXCHANGES
from pico.cluster.membership import Membership
from pico.gossip.limits import Limits
from pico.gossip.stream import ExchangeProtocol
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.net.ports import make_client_endpoint
from pico.testing import RecordingProtocol
from pico.wire.link_auth import Peer
from tests.cluster.test_membership import PORT, MembershipTestCase


class _Exchanging(ServerFactory):
    """
    Takes connections for state exchanges with nobody in particular.
    """

    noisy = False

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def buildProtocol(self, addr: IAddress | None) -> ExchangeProtocol | None:
        return self._membership.accept(Peer(NodeId("x"), 1))


class ExchangeTests(MembershipTestCase):
    """
    State exchanges that others begin.
    """

    def test_too_many(self) -> None:
        """
        Only so many go on at a time, and one that does not end is ended.
        """
        membership = self.make()
        self.open(membership, "10.0.0.1")
        host = self.host_of("a")
        host.listenTCP(PORT, _Exchanging(membership))
        for _ in range(MAX_EXCHANGES + 2):
            self.dial()
        self.assertEqual(membership.exchanges.accepted, MAX_EXCHANGES)
        self.network.advance(EXCHANGE_TIMEOUT + 1)
        self.assertEqual(membership.exchanges.accepted, 0)
        self.dial()
        self.assertEqual(membership.exchanges.accepted, 1)

    def dial(self) -> None:
        """
        Connect and be silent.
        """
        make_client_endpoint(self.host_of("x"), "a", PORT).connect(Factory.forProtocol(RecordingProtocol))
        self.network.pump()

    def test_far_behind(self) -> None:
        """
        Who is far behind asks for everything at once, once.
        """
        limits = Limits(far_behind=50)
        one, other = self.make("a", limits=limits), self.make("b", seeds=["a"], limits=limits)
        self.open(one, "10.0.0.1")
        for number in range(2000):
            one.serves(EndpointKey(DEFAULT_TENANT, str(number)), 1)
        self.network.pump()
        self.open(other, "10.0.0.2")
        with capturedLogs() as events:
            self.network.advance(1)
        said = [formatEvent(event) for event in events if "no state exchange" in formatEvent(event)]
        # Nobody takes connections here.
        self.assertEqual(len(said), 1, said)
        self.assertIn("no state exchange with node a: cannot connect to 10.0.0.1:8003", said[0])
