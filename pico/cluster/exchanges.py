"""
State exchanges: two nodes tell each other everything that they know of the cluster, over a connection.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.logger import Logger

from pico.cluster.greeting import LinkError, NodeDialer
from pico.gossip.peer import Peer as Life
from pico.gossip.stream import ExchangeBroken, ExchangeProtocol
from pico.gossip.udp import Gossip
from pico.names import NodeId
from pico.net.background import background
from pico.wire.link_auth import Peer, Purpose

_log = Logger(namespace="cluster")

#: Seconds for one state exchange, its connection included ...
EXCHANGE_TIMEOUT = 10.0

#: ... and how many others may have with this node at a time; it takes memory and time.
MAX_EXCHANGES = 8


class Exchanges:
    """
    Those of one node.

    :ivar accepted: those under way that other nodes have begun.
    """

    def __init__(self, gossip: Gossip, dialer: NodeDialer) -> None:
        self._gossip = gossip
        self._dialer = dialer
        self._catching_up = False
        self.accepted = 0

    def accept(self) -> ExchangeProtocol | None:
        """
        Make the protocol of a connection that another node has made for one.

        :return: nothing if there are too many, or this node has left.
        """
        if self._gossip.member.is_out or self.accepted >= MAX_EXCHANGES:
            return None
        protocol = self._gossip.exchange(EXCHANGE_TIMEOUT)
        self.accepted += 1
        self._gossip.member.counters.exchanges_in += 1

        def ended(_: object) -> None:
            self.accepted -= 1

        protocol.when_done().addBoth(ended)
        return protocol

    async def hold(self, life: Life) -> bool:
        """
        Tell another node everything, and learn everything from it.

        :return: whether that came to its end.
        """
        host, port = life.life.address
        expected = Peer(NodeId(life.id), life.life.generation)
        made: list[ExchangeProtocol] = []

        def make(_: Peer) -> IProtocol:
            self._gossip.member.counters.exchanges_out += 1
            made.append(self._gossip.exchange(EXCHANGE_TIMEOUT))
            return made[0]

        try:
            await self._dialer.dial(host, port, Purpose.STATE_EXCHANGE, make, expected)
            await made[0].when_done()
        except (LinkError, ExchangeBroken) as error:
            _log.info("no state exchange with node {node}: {reason}", node=life.id, reason=str(error))
            return False
        return True

    def catch_up(self, life: Life) -> None:
        """
        Learn in one go what somebody knows, if that is not done with anybody already.
        """
        if self._catching_up:
            return
        self._catching_up = True

        def ended(result: object) -> object:
            self._catching_up = False
            return result

        background(Deferred.fromCoroutine(self.hold(life)).addBoth(ended), _log, "a state exchange")
