"""
Three nodes on a network of their own, and what happens to networks and machines.

Clients never retry and compare every body.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from tests.system.case import Node, SystemTestCase
from tests.system.load import Load, under_load
from tests.system.network import Host, Network
from tests.system.processes import PICO, Program, eventually
from tests.system.services import HTTPService

KEY = "the-key-of-the-cluster-under-test"


class FaultsTestCase(SystemTestCase):
    """
    Nodes n1, n2, n3, each on a host of its own, and services beside the test.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network: Network = self.scene.network()
        self.hosts = [self.network.host() for _ in range(3)]
        self.nodes = [self.start_node(number) for number in range(3)]
        self.service = self.scene.run(HTTPService("s"))
        for node in self.nodes:
            eventually(lambda node=node: self.statuses(node) == ACTIVE, "the nodes to know each other")  # type: ignore[misc]

    def settings(self, number: int, host: Host) -> dict[str, object]:
        """
        How node ``number`` + 1 is started.
        """
        return {
            "cluster.node-id": f"n{number + 1}",
            "cluster.gossip.bind-addr": f"{host.address}:8003",
            "cluster.join": ",".join(f"{each.address}:8003" for each in self.hosts if each is not host),
            "cluster.join-timeout": "1s",
            "cluster.abort-if-join-fails": "false",
            "cluster.secret-keys": KEY,
        }

    def start_node(self, number: int) -> Node:
        host = self.hosts[number]
        return self.scene.node(self.settings(number, host), on=host)

    def statuses(self, node: Node) -> Mapping[str, str]:
        """
        What a node holds of all nodes.
        """
        found = node.status("/status/cluster/nodes")
        assert isinstance(found, list)
        return {each["id"]: each["status"] for each in found}

    def agent(self, endpoint: str, *nodes: Node) -> Program:
        """
        Start an agent that dials any of some nodes, and wait for its tunnel.
        """

        def tunnels() -> int:
            return sum(node.tunnels(endpoint) for node in nodes)

        before = tunnels()
        urls = ",".join(f"http://{node.host}:{node.upstream}" for node in nodes)
        program = self.scene.agent(nodes[0], endpoint, self.service.port, {"connect.url": urls}, connected=None)
        eventually(lambda: tunnels() == before + 1, f"a tunnel for {endpoint}")
        return program

    def serves(self, node: Node, endpoint: str) -> bool:
        """
        Whether a node answers for an endpoint.
        """
        return node.fetch("/x", endpoint=endpoint).status == 200

    def wait_until_served(self, node: Node, endpoint: str, timeout: float = 10.0) -> float:
        """
        Wait until it does.

        :return: the seconds that it took.
        """
        began = time.monotonic()
        eventually(lambda: self.serves(node, endpoint), f"{node.host} to serve {endpoint}", timeout=timeout)
        return time.monotonic() - began

    def load(self, node: Node, endpoint: str, clients: int = 10, **more: object) -> Load:
        return Load(node.proxy, clients, host=node.host, endpoint=endpoint, bearable=10_000, **more)  # type: ignore[arg-type]


ACTIVE = {"n1": "active", "n2": "active", "n3": "active"}


class DeathTests(FaultsTestCase):
    """
    Machines that die.
    """

    def test_killed_node(self) -> None:
        """
        With a node that is killed fails what is in flight on it. An endpoint with a second tunnel elsewhere is served
        on without a gap, one whose agent has to dial again within three seconds.
        """
        first, second, third = self.nodes
        self.agent("double", first)
        self.agent("double", second)
        self.agent("single", first, second)
        doomed, other = (first, second) if first.tunnels("single") else (second, first)
        for endpoint in ("double", "single"):
            self.wait_until_served(third, endpoint)
        double, single = self.load(third, "double"), self.load(third, "single", posts=False)
        killed = 0.0

        async def plan() -> None:
            nonlocal killed
            await double.until(1000)
            killed = time.monotonic()
            doomed.program.kill()
            await asyncio.sleep(5)
            await double.until(1000)
            await single.until(1000)

        under_load(plan, double, single)
        for failure in double.wrong:
            self.assertIn("POST", failure, "an idempotent request goes to the other tunnel")
        self.assertLessEqual(len(double.wrong), 10, double.wrong)
        for moment in double.moments:
            self.assertLess(moment - killed, 1.0, double.wrong)
        self.assertLess(double.gap, 1.0)
        gap = max(single.moments, default=killed) - killed
        self.assertLess(gap, 3.0, single.wrong[-3:])
        self.assertEqual(other.tunnels("single"), 1)
        dead = f"n{self.nodes.index(doomed) + 1}"
        eventually(lambda: self.statuses(third)[dead] == "unreachable", "the death to be noticed")
        print(
            f"a node killed at {double.served + single.served} requests: {len(double.wrong)} in flight on it failed; "
            f"the endpoint with one tunnel was served again after {gap:.2f} s"
        )

    def test_same_id(self) -> None:
        """
        A node that comes back with its id is routed to within two seconds, and what it had in its former life is gone.
        """
        first, _, third = self.nodes
        old = self.agent("old", first)
        self.wait_until_served(third, "old")
        old.kill()
        first.program.kill()
        first.restart()
        self.agent("new", first)
        took = self.wait_until_served(third, "new")
        self.assertLess(took, 2.0)
        found = third.status("/status/cluster/nodes/n1")
        assert isinstance(found, dict)
        self.assertEqual((found["status"], found["endpoints"]), ("active", {"new": 1}))
        self.assertEqual(third.fetch("/", endpoint="old").status, 502)
        print(f"a node back with its id was routed to {took:.2f} s after its tunnel stood")

    def test_killed_agent(self) -> None:
        """
        With a second agent on the endpoint, at another node, the death of one costs no idempotent request.
        """
        first, second, third = self.nodes
        doomed = self.agent("e", first)
        self.agent("e", second)
        self.wait_until_served(third, "e")
        load = self.load(third, "e", posts=False)

        async def plan() -> None:
            await load.until(1000)
            doomed.kill()
            await load.until(3000)

        under_load(plan, load)
        self.assertEqual(load.wrong, [])


class PartitionTests(FaultsTestCase):
    """
    Networks that lose packets, a few or all of them.
    """

    def test_partition(self) -> None:
        """
        Both sides of a partition serve what they can, and when it is over all is as before, by itself.
        """
        first, second, third = self.nodes
        for endpoint, holders in (("both", (first, third)), ("left", (second,)), ("right", (third,))):
            for holder in holders:
                self.agent(endpoint, holder)
        for node in self.nodes:
            for endpoint in ("both", "left", "right"):
                self.wait_until_served(node, endpoint)
        loads = [self.load(node, "both", 4) for node in self.nodes]
        own = [self.load(first, "left", 4), self.load(third, "right", 4)]
        trouble: list[str] = []
        noticed = 0.0

        async def plan() -> None:
            nonlocal noticed
            began = time.monotonic()
            self.network.isolate(self.hosts[2])
            while time.monotonic() - began < 30:
                await asyncio.sleep(0.25)
                seen = [await asyncio.to_thread(self.statuses, node) for node in self.nodes]
                apart = [
                    {**ACTIVE, "n3": "unreachable"},
                    {**ACTIVE, "n3": "unreachable"},
                    {**ACTIVE, "n1": "unreachable", "n2": "unreachable"},
                ]
                if not noticed and seen == apart:
                    noticed = time.monotonic() - began
                elif noticed and seen != apart:
                    trouble.append(f"after {time.monotonic() - began:.1f} s: {seen}")
            # What cannot be reached is refused at once, and says so.
            for node, endpoint in ((third, "left"), (first, "right")):
                response = await asyncio.to_thread(node.fetch, "/", endpoint=endpoint)
                if response.status != 502:
                    trouble.append(f"{endpoint}: {response.status} {response.body!r}")
            self.hosts[2].heal()
            await asyncio.to_thread(self._wait_for_peace)

        under_load(plan, *loads, *own)
        self.assertEqual(trouble, [])
        self.assertLess(noticed, 3.0)
        self.assertGreater(noticed, 0)
        for load in (*loads, *own):
            # A POST that was under way to the other side may have been processed there.
            self.assertLessEqual(len(load.wrong), 4 if load in loads else 0, load.wrong)
            self.assertEqual([each for each in load.wrong if "POST" not in each], [])
            self.assertGreater(load.served, 100)
        print(f"a partition was noticed by all after {noticed:.2f} s")

    def _wait_for_peace(self) -> None:
        for node in self.nodes:
            eventually(lambda node=node: self.statuses(node) == ACTIVE, "the nodes to find each other again")  # type: ignore[misc]
            for endpoint in ("both", "left", "right"):
                self.wait_until_served(node, endpoint)

    def test_loss(self) -> None:
        """
        A fifth of all packets lost between nodes for half a minute: nobody is held for dead, and requests are served.
        """
        first, second, _ = self.nodes
        self.agent("e", first)
        self.wait_until_served(second, "e")
        self.network.lose(20)
        load = self.load(second, "e", 4, posts=False)
        trouble: list[str] = []

        async def plan() -> None:
            began = time.monotonic()
            while time.monotonic() - began < 30:
                await asyncio.sleep(0.25)
                for node in self.nodes:
                    seen = await asyncio.to_thread(self.statuses, node)
                    if seen != ACTIVE:
                        trouble.append(f"{node.host} after {time.monotonic() - began:.1f} s: {seen}")

        under_load(plan, load)
        self.assertEqual(trouble, [])
        self.assertEqual(load.wrong, [])
        for node in self.nodes:
            self.assertNotIn("unreachable", node.program.log)
        print(f"20 % loss for 30 s: no false death, {load.served} requests served")


class StrangerTests(FaultsTestCase):
    """
    Machines that do not belong there.
    """

    def test_wrong_key(self) -> None:
        """
        A node with another key never appears, is told of nothing, and ends with a word on why.
        """
        host = self.network.host()
        stranger: dict[str, object] = {
            **self.settings(3, host),
            "cluster.secret-keys": "the-key-of-quite-another-cluster",
            "cluster.abort-if-join-fails": "true",
            "cluster.join-timeout": "4s",
            **{f"{port}.bind-addr": f"{host.address}:0" for port in ("proxy", "upstream", "admin")},
        }
        command = [*PICO, "server", *(f"--{name}={value}" for name, value in stranger.items())]
        program = self.scene.start("stranger", host.command(command))
        looks = 0
        while program.running:
            looks += 1
            for node in self.nodes:
                self.assertEqual(self.statuses(node), ACTIVE)
            time.sleep(0.05)
        self.assertGreater(looks, 10)
        self.assertEqual(program.wait(), 1, program.log)
        self.assertIn("no other node was found", program.log)
