"""
Tests for :mod:`pico.upstream.selector`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import inf

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.cluster.greeting import Identification, NodeDialer
from pico.cluster.link import LinkSettings
from pico.cluster.members import Holder
from pico.cluster.remote import Remotes, RemoteUpstream
from pico.interfaces import ISelector, IUpstream
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.net.deadlines import Deadlines
from pico.net.turn import Turn
from pico.proxy.headers import fate_of
from pico.testing import MemoryNetwork, StaticMembers
from pico.tunnel.supply import SupplySettings
from pico.upstream.registry import Registry
from pico.upstream.selector import Selector, SelectorSettings
from pico.upstream.tunnel import TunnelUpstream
from pico.wire.http1.headers import HeaderCache
from pico.wire.link_auth import Peer
from tests.upstream.support import Waiter, load, make_upstream

KEY = EndpointKey(DEFAULT_TENANT, "e")

#: What says that there is nowhere to go.
NOWHERE = ""


@attrs.frozen
class Local:
    """
    A tunnel here.
    """

    busy: int = 0
    avoided: bool = False


@attrs.frozen
class Remote:
    """
    A node with tunnels.
    """

    load: int = 0
    upstreams: int = 1
    leaving: bool = False
    avoided: bool = False


class Scene:
    """
    A selector, tunnels of its node "l0", "l1", ... and other nodes "r0", "r1", ...
    """

    def __init__(self, locals_: Sequence[Local], remotes: Sequence[Remote], preference: float = 2.0) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.members = StaticMembers()
        self.registry = Registry(self.clock)
        self.names: dict[object, str] = {}
        own = Identification(Peer(NodeId("own"), 1))
        host = self.network.host("own")
        self.remotes = Remotes(
            self.members,
            dialer=NodeDialer(own, reactor=host, clock=host, timeout=3.0),
            clock=host,
            deadlines=Deadlines(host),
            turn=Turn(host),
            chooser=random.Random(1),
            cache=HeaderCache(fate_of),
            links=LinkSettings(),
            supply=SupplySettings(),
        )
        for number, local in enumerate(locals_):
            tunnel = make_upstream()
            load(tunnel, local.busy)
            tunnel.avoid_until = inf if local.avoided else 0.0
            self.registry.add(tunnel)
            self.names[tunnel] = f"l{number}"
        self.hold(KEY, remotes)
        for number, (upstream, remote) in enumerate(zip(self.remotes.of(KEY), remotes, strict=True)):
            if remote.avoided:
                upstream.failed()
            self.names[upstream] = f"r{number}"
        self.selector = Selector(
            self.registry, self.remotes, clock=self.clock, settings=SelectorSettings(local_preference=preference)
        )

    def hold(self, key: EndpointKey, remotes: Sequence[Remote]) -> None:
        """
        Say which nodes have tunnels.
        """
        for number in range(len(remotes)):
            self.network.host(f"r{number}")
        holders = [
            Holder(Peer(NodeId(f"r{number}"), 1), f"r{number}", 8003, each.upstreams, each.load, each.leaving)
            for number, each in enumerate(remotes)
        ]
        self.members.hold(key, *holders)

    def choose(self, *tried: str) -> str:
        """
        Choose, and say whom.
        """
        by_name = {name: upstream for upstream, name in self.names.items()}
        chosen = self.selector.choose(KEY, [by_name[name] for name in tried])
        return self.names[chosen] if chosen is not None else NOWHERE


class SelectorTests(SynchronousTestCase):
    """
    Where requests go.
    """

    def test_interfaces(self) -> None:
        """
        The selector and what it chooses are what the port for clients expects.
        """
        scene = Scene([Local()], [Remote()])
        verifyObject(ISelector, scene.selector)
        for upstream in scene.names:
            self.assertIsInstance(upstream, TunnelUpstream | RemoteUpstream)
            verifyObject(IUpstream, upstream)

    def test_table(self) -> None:
        """
        Tunnels here, nodes elsewhere, what was tried → the choice.
        """
        for locals_, remotes, tried, chosen in [
            # Nothing, or one thing only.
            ([], [], [], NOWHERE),
            ([Local()], [], [], "l0"),
            ([], [Remote()], [], "r0"),
            ([Local(50)], [], [], "l0"),
            # Here, while that is not clearly busier: up to twice what is under way elsewhere and on the hop.
            ([Local()], [Remote()], [], "l0"),
            ([Local(1)], [Remote()], [], "l0"),
            ([Local(1), Local(1)], [Remote(), Remote()], [], "l0"),
            ([Local(8)], [Remote()], [], "l0"),
            ([Local(9)], [Remote()], [], "r0"),
            ([Local(28)], [Remote(10)], [], "l0"),
            ([Local(29)], [Remote(10)], [], "r0"),
            # The least busy tunnel here is what counts.
            ([Local(9), Local(2)], [Remote()], [], "l1"),
            # A node's load is shared by its tunnels.
            ([Local(19)], [Remote(10, upstreams=2)], [], "r0"),
            ([Local(18)], [Remote(10, upstreams=2)], [], "l0"),
            # Among nodes the least busy one, by tunnel.
            ([], [Remote(3), Remote(1), Remote(2)], [], "r1"),
            ([], [Remote(3), Remote(8, upstreams=4)], [], "r1"),
            # One that leaves comes after all that do not, but before none.
            ([], [Remote(0, leaving=True), Remote(50)], [], "r1"),
            ([], [Remote(0, leaving=True)], [], "r0"),
            ([Local(50)], [Remote(leaving=True)], [], "l0"),
            # What has just failed comes last of all.
            ([], [Remote(avoided=True), Remote(50)], [], "r1"),
            ([], [Remote(avoided=True), Remote(50, leaving=True)], [], "r1"),
            ([], [Remote(avoided=True)], [], "r0"),
            ([Local(50)], [Remote(avoided=True)], [], "l0"),
            ([Local(avoided=True)], [Remote(50)], [], "r0"),
            ([Local(avoided=True)], [Remote(50, leaving=True)], [], "r0"),
            ([Local(avoided=True), Local(5)], [Remote()], [], "l1"),
            ([Local(avoided=True)], [Remote(avoided=True)], [], "l0"),
            # What was tried for this request is not named again ...
            ([Local()], [Remote()], ["l0"], "r0"),
            ([Local(50)], [Remote()], ["r0"], "l0"),
            ([Local()], [Remote()], ["l0", "r0"], NOWHERE),
            ([], [Remote(), Remote(5)], ["r0"], "r1"),
            # ... but for a node with more tunnels than have failed.
            ([], [Remote(upstreams=2)], ["r0"], "r0"),
            ([], [Remote(upstreams=2)], ["r0", "r0"], NOWHERE),
            ([], [Remote(upstreams=2, avoided=True)], ["r0"], NOWHERE),
        ]:
            scene = Scene(locals_, remotes)
            self.assertEqual(scene.choose(*tried), chosen, (locals_, remotes, tried))

    def test_preference(self) -> None:
        """
        ``local_preference`` says how much busier a tunnel here may be.
        """
        for preference, busy, chosen in [(1.0, 14, "l0"), (1.0, 15, "r0"), (3.0, 42, "l0"), (3.0, 43, "r0")]:
            scene = Scene([Local(busy)], [Remote(10)], preference)
            self.assertEqual(scene.choose(), chosen, (preference, busy))

    def test_turns(self) -> None:
        """
        Equal nodes take turns, whatever is asked for in between.
        """
        for others in (0, 1, 2, 3):
            scene = Scene([], [Remote()] * 3)
            other = EndpointKey(DEFAULT_TENANT, "other")
            scene.hold(other, [Remote()] * others)
            chosen = []
            for _ in range(6):
                chosen.append(scene.choose())
                scene.selector.choose(other, ())
            self.assertEqual(chosen, ["r0", "r1", "r2"] * 2, others)

    def test_own_requests(self) -> None:
        """
        What this node itself has under way at another one counts before that tells.
        """
        scene = Scene([], [Remote(1), Remote(1)])
        first = scene.remotes.of(KEY)[0]
        waiters = [Waiter(), Waiter()]
        for waiter in waiters:
            first.acquire(waiter, True)
        self.assertEqual([scene.choose(), scene.choose()], ["r1", "r1"])
        first.cancel(waiters[0])
        self.assertEqual(sorted([scene.choose(), scene.choose()]), ["r0", "r1"])

    def test_avoided_for_a_second(self) -> None:
        """
        What could not serve a request is avoided for a second.
        """
        scene = Scene([], [Remote(avoided=True), Remote(50)])
        self.assertEqual(scene.choose(), "r1")
        scene.clock.advance(0.9)
        self.assertEqual(scene.choose(), "r1")
        scene.clock.advance(0.1)
        self.assertEqual(scene.choose(), "r0")
