"""
Tests for :mod:`pico.upstream.shedding`: our own agent's side and Piko's against a port in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
from twisted.logger import capturedLogs, formatEvent

from pico.interfaces import IVerifier
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.upstream.movables import PATIENCE
from pico.upstream.port import UpstreamPort, UpstreamPortSettings
from pico.upstream.rebalance import RebalanceSettings
from pico.upstream.shedding import Shedding
from tests.client.support import RecordingUser
from tests.upstream.support import load
from tests.upstream.test_port import DEFAULTS, PortTestCase

#: All that is too much, at once.
AT_ONCE = RebalanceSettings(threshold=0.2, shed_rate=1, min_conns=2)

#: The pings of the agents in memory go unanswered for a while.
SETTINGS = attrs.evolve(DEFAULTS, max_tunnels=100, max_connections=200)


@attrs.define
class Others:
    """
    What is known of other nodes.
    """

    counts: dict[NodeId, int] = attrs.field(factory=dict)
    held: set[str] = attrs.field(factory=set)

    def tunnels(self) -> Mapping[NodeId, int]:
        """
        Their tunnels.
        """
        return self.counts

    def holders(self, key: EndpointKey) -> Sequence[object]:
        """
        Those that have an endpoint.
        """
        return ["b"] if key.endpoint in self.held else []


class SheddingTestCase(PortTestCase):
    """
    A node beside another that has no tunnels.
    """

    rebalance = AT_ONCE

    def make_shedding(self) -> Shedding:
        """
        Make it.
        """
        self.others = Others({NodeId("b"): 0})
        self.active = True
        self.users: list[RecordingUser] = []
        return Shedding(
            self.registry,
            self.others,
            settings=self.rebalance,
            active=lambda: self.active,
            clock=self.clock,
            metrics=self.metrics,
        )

    def listen(self, settings: UpstreamPortSettings = SETTINGS, verifier: IVerifier | None = None) -> UpstreamPort:
        """
        Make a port that sheds.
        """
        return super().listen(settings, verifier)

    def agents(self, *endpoints: str) -> None:
        """
        Let agents of ours come.
        """
        for endpoint in endpoints:
            self.users.append(RecordingUser())
            self.dial(endpoint, self.users[-1])

    def advance(self, seconds: float = 1.0) -> None:
        """
        Let time pass.
        """
        self.network.advance(seconds)

    @property
    def asked(self) -> str:
        """
        Which agents were asked to go, by their number.
        """
        return "".join(str(index) for index, user in enumerate(self.users) if "leaves" in user.told)

    @property
    def shed(self) -> tuple[float, float]:
        """
        How many were asked, and how many came back.
        """
        return self.number("pico_upstreams_shed_total"), self.number("pico_upstreams_shed_returned_total")


class SheddingTests(SheddingTestCase):
    """
    Who is asked, and what becomes of it.
    """

    def test_shed(self) -> None:
        """
        Those above the share are asked, once; requests go to them as before, and none is cut.
        """
        self.agents("a", "b", "c", "d")
        self.assertEqual(self.asked, "")
        with capturedLogs() as events:
            self.advance(PATIENCE / 2)
        self.assertEqual(self.asked, "01")
        self.assertEqual(self.shed, (2, 0))
        self.assertEqual([user.told for user in self.users], [["leaves"], ["leaves"], [], []])
        lines = [formatEvent(event) for event in events if event["log_namespace"] == "upstream"]
        self.assertEqual(lines, ["rebalancing: 4 tunnels here, 2 would be even; asking agents to dial another node"])
        statuses, _ = self.port.tunnels(None, 0, 10)
        self.assertEqual([status.leaving for status in statuses], [True, True, False, False])
        key = EndpointKey(DEFAULT_TENANT, "a")
        upstream = self.registry.choose(key, ())
        assert upstream is not None
        load(upstream, 1)
        self.network.pump()
        self.assertEqual(self.users[0].told, ["leaves", "stream"])

    def test_who_does_not_go(self) -> None:
        """
        One that is not gone after a while counts as staying, and another is asked; it is never cut.
        """
        self.agents("a", "b", "c", "d")
        self.advance(1)
        self.assertEqual(self.asked, "01")
        self.advance(PATIENCE - 1)
        self.assertEqual(self.asked, "01")
        self.advance(1)
        self.assertEqual(self.asked, "0123")
        self.advance(100)
        self.assertEqual([user.told for user in self.users], [["leaves"]] * 4)
        self.assertEqual(self.port.upstreams, 4)

    def test_piko(self) -> None:
        """
        Agents that do not understand the go-away count, and are not asked.
        """
        peers = [self.tunnel(target=b"/piko/v1/upstream/e") for _ in range(5)]
        for peer in peers:
            peer.pieces.clear()
        self.agents("a")
        self.advance(1)
        self.assertEqual(self.asked, "0")
        self.advance(100)
        self.assertEqual(self.shed, (1, 0))
        self.assertEqual([peer.received for peer in peers], [b""] * 5)

    def test_only_one(self) -> None:
        """
        The only tunnel of an endpoint in the cluster is asked only when there are no others.
        """
        self.others.held = {"c"}
        self.agents("a", "b", "b", "c")
        self.advance(1)
        self.assertEqual(self.asked, "12")

    def test_only_one_elsewhere(self) -> None:
        """
        A tunnel of the endpoint at another node is company, too.
        """
        self.others.held = {"c"}
        self.agents("a", "b", "c")
        self.advance(1)
        self.assertEqual(self.asked, "2")

    def test_came_back(self) -> None:
        """
        An agent that dials this very node again is welcome, and counted: one for each that was asked.
        """
        self.agents("a", "b", "c", "d")
        self.advance(1)
        self.assertEqual(self.asked, "01")
        self.agents("a", "x")
        self.assertEqual(self.shed, (2, 1))
        self.agents("a", "c")
        self.assertEqual(self.shed, (2, 1))
        self.assertEqual(self.port.upstreams, 8)

    def test_gone(self) -> None:
        """
        What has gone is not waited for: a new tunnel of the endpoint has not come back.
        """
        self.rebalance = attrs.evolve(AT_ONCE, min_conns=4)
        self.relisten(SETTINGS)
        self.agents("a", "b", "c", "d")
        tunnel = self.dial("z")
        self.advance(1)
        self.assertEqual(self.asked, "01")
        tunnel.session.close()
        self.users.clear()
        for upstream in list(self.registry):
            if upstream.key.endpoint == "a":
                assert upstream.session is not None
                upstream.session.close()
        self.network.pump()
        self.agents("a")
        self.assertEqual(self.shed, (2, 0))

    def test_asked_before(self) -> None:
        """
        Who was told to go for another reason is not asked again.
        """
        self.agents("a", "b", "c", "d")
        self.port.drain()
        self.advance(10)
        self.assertEqual(self.shed, (0, 0))
        self.assertEqual([user.told for user in self.users], [["leaves"]] * 4)

    def test_drain_taken_back(self) -> None:
        """
        Who was told to go by a drain that was taken back is not counted as staying: of those that come after it as
        many are asked as if the others had gone.
        """
        self.agents("a", "b", "c", "d")
        self.active = False
        self.port.drain()
        self.port.resume()
        self.active = True
        with capturedLogs() as events:
            self.advance(5)
        self.assertEqual([event for event in events if event["log_namespace"] == "upstream"], [])
        self.agents("e", "f", "g", "h")
        self.advance(1)
        self.assertEqual(self.shed, (0, 0))
        for upstream in list(self.registry):
            if upstream.number <= 4:
                assert upstream.session is not None
                upstream.session.close()
        self.advance(2)
        self.assertEqual(self.shed, (2, 0))

    def test_not_active(self) -> None:
        """
        A node that starts or stops asks nobody.
        """
        self.active = False
        self.agents("a", "b", "c", "d")
        self.advance(10)
        self.assertEqual(self.asked, "")
        self.active = True
        self.advance(1)
        self.assertEqual(self.asked, "01")

    def test_in_vain(self) -> None:
        """
        When nothing comes of it a line says so, and it is over for now.
        """
        self.agents(*("e" for _ in range(90)))
        with capturedLogs() as events:
            self.advance(2 * PATIENCE)
        lines = [formatEvent(event) for event in events if event["log_namespace"] == "upstream"]
        self.assertEqual(len(lines), 2)
        self.assertTrue(str(lines[1]).startswith("rebalancing was in vain"), lines)
        self.assertEqual(self.shed, (45, 0))


class OffTests(SheddingTestCase):
    """
    As it is when nobody has set anything.
    """

    rebalance = RebalanceSettings()

    def test_off(self) -> None:
        """
        Nobody is asked, and no time is spent on it.
        """
        self.agents(*("e" for _ in range(60)))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.advance(10)
        self.assertEqual(self.asked, "")
