"""
Agents that are replaced by others of the same endpoint, at load: nothing is lost.

Clients never retry and compare every body; a third of the requests are POSTs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tests.system.case import Node, Settings, SystemTestCase
from tests.system.load import Load, under_load
from tests.system.processes import Program, eventually, free_port
from tests.system.services import HTTPService

#: How often an agent is replaced.
UPGRADES = 5

#: Answers between two steps of an upgrade, of each node.
BETWEEN = 200

#: Of each node, at a time.
CLIENTS = 8


class UpgradeTestCase(SystemTestCase):
    """
    Nodes, of which all have clients, and agents that come and go.

    :cvar size: how many nodes.
    :cvar settings: of each of them.
    """

    size = 2
    settings: Settings = {}

    def setUp(self) -> None:
        super().setUp()
        self.service = self.scene.run(HTTPService("s"))
        ports = [free_port() for _ in range(self.size)]
        seeds = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.nodes = [self._node(number, port, seeds) for number, port in enumerate(ports)]
        for node in self.nodes:
            eventually(lambda node=node: len(_known(node)) == self.size, "the nodes to know each other")  # type: ignore[misc]

    def _node(self, number: int, port: int, seeds: str) -> Node:
        return self.scene.node(
            {
                "cluster.node-id": f"n{number + 1}",
                "cluster.gossip.bind-addr": f"127.0.0.1:{port}",
                "cluster.join": seeds,
                "cluster.join-timeout": "1s",
                "cluster.abort-if-join-fails": "false",
                **self.settings,
            }
        )

    def agent(self, nodes: Sequence[Node], connections: int) -> Program:
        """
        Start an agent, and wait until it says that it has its tunnels.
        """
        urls = ",".join(f"http://127.0.0.1:{node.upstream}" for node in nodes)
        settings = {"connect.url": urls, "connections": connections}
        program = self.scene.agent(nodes[0], "e", self.service.port, settings, connected=None)
        # At once: nobody but the agent and its node may know of them.
        eventually(lambda: program.log.count("connected to") >= connections, "the agent's tunnels", interval=0.001)
        return program

    def wait_until_served(self) -> None:
        """
        Wait until each node knows where the endpoint is.
        """
        for node in self.nodes:
            eventually(lambda node=node: node.fetch("/x").status == 200, "the endpoint to be served")  # type: ignore[misc]

    def waits(self) -> int:
        """
        Requests that have waited at a node, and for which there was an upstream then.
        """
        found = [node.metrics()['pico_proxy_waits_total{outcome="found"}'] for node in self.nodes]
        return int(sum(found))


class AgentUpgradeTests(UpgradeTestCase):
    """
    Agents that know both nodes.
    """

    def upgrade(self, connections: int) -> None:
        """
        Replace an agent at load, several times, and print what was counted.
        """
        loads = [Load(node.proxy, CLIENTS) for node in self.nodes]
        self.running = self.agent(self.nodes, connections)
        self.wait_until_served()

        async def more() -> None:
            await asyncio.gather(*(load.until(BETWEEN) for load in loads))

        async def plan() -> None:
            for number in range(UPGRADES):
                await more()
                # Each begins with another node.
                nodes = self.nodes if number % 2 else self.nodes[::-1]
                new = await asyncio.to_thread(self.agent, nodes, connections)
                self.running, old = new, self.running
                old.terminate()
                await more()
                self.assertEqual(await asyncio.to_thread(old.wait), 0)
            await more()

        under_load(plan, *loads)
        served, wrong = sum(load.served for load in loads), [each for load in loads for each in load.wrong]
        print(f"\n{UPGRADES} upgrades, {connections} tunnels: {served} requests served, {len(wrong)} failed")
        self.assertEqual(wrong, [])

    def test_one_tunnel(self) -> None:
        """
        An agent with one tunnel is replaced by another that may be at the other node: no request fails.
        """
        self.upgrade(1)

    def test_two_tunnels(self) -> None:
        """
        So it is with agents that have a tunnel at each node.
        """
        self.upgrade(2)


class AtOnceTests(UpgradeTestCase):
    """
    Agents of one node each, whose successors are not known everywhere when they end.
    """

    size = 3
    #: Nodes hear of each other late, so that there are requests which must wait; and these wait for as long as a new
    #: process may take on a slow machine.
    settings = {"cluster.gossip.interval": "1s", "proxy.wait-for-upstream": "20s"}

    def drive(self, what: str, replace: Callable[[int], None]) -> Sequence[Load]:
        """
        Replace the endpoint's only agent at load, several times, and print what was counted.
        """
        loads = [Load(node.proxy, CLIENTS, bearable=1000) for node in self.nodes]
        self.running = self.agent(self.nodes[:1], 1)
        self.wait_until_served()

        async def plan() -> None:
            for number in range(1, UPGRADES + 1):
                await asyncio.gather(*(load.until(BETWEEN) for load in loads))
                await asyncio.to_thread(replace, number)
            await asyncio.gather(*(load.until(BETWEEN) for load in loads))

        under_load(plan, *loads)
        served, wrong = sum(load.served for load in loads), sum(len(load.wrong) for load in loads)
        gap = max(load.gap for load in loads)
        print(
            f"\n{what}, {UPGRADES} times: {served} requests served, {self.waits()} of which waited, {wrong} failed; "
            f"{gap:.2f} s without an answer at the most"
        )
        return loads

    def test_successor_elsewhere(self) -> None:
        """
        An agent is stopped in the moment in which its successor has a tunnel at another node: no request fails.
        """

        def replace(number: int) -> None:
            new = self.agent([self.nodes[number % self.size]], 1)
            self.running.terminate()
            self.assertEqual(self.running.wait(), 0)
            self.running = new

        loads = self.drive("an agent replaced by one at another node", replace)
        self.assertEqual([each for load in loads for each in load.wrong], [])
        self.assertGreater(self.waits(), 0)

    def test_killed(self) -> None:
        """
        An agent is killed and started anew: of each client one request fails at the most, which was under way.
        """

        def replace(number: int) -> None:
            self.running.kill()
            self.running = self.agent([self.nodes[number % self.size]], 1)

        loads = self.drive("an agent killed, and started at another node", replace)
        for load in loads:
            self.assertLessEqual(len(load.wrong), UPGRADES * CLIENTS, load.wrong)
        self.assertGreater(self.waits(), 0)


def _known(node: Node) -> Sequence[object]:
    found = node.status("/status/cluster/nodes")
    assert isinstance(found, list)
    return found
