"""
Agents that are replaced by others of the same endpoint, at load: nothing is lost.

Clients never retry and compare every body; a third of the requests are POSTs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.system.case import Node, SystemTestCase
from tests.system.load import Load, under_load
from tests.system.processes import Program, eventually, free_port
from tests.system.services import HTTPService

#: How often an agent is replaced.
UPGRADES = 5

#: Answers between two steps of an upgrade, of each node.
BETWEEN = 200


class AgentUpgradeTests(SystemTestCase):
    """
    Two nodes, of which both have clients, and agents that come and go.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service = self.scene.run(HTTPService("s"))
        ports = [free_port(), free_port()]
        seeds = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.nodes = [self._node(number, port, seeds) for number, port in enumerate(ports)]
        for node in self.nodes:
            eventually(lambda node=node: len(_known(node)) == 2, "the nodes to know each other")  # type: ignore[misc]

    def _node(self, number: int, port: int, seeds: str) -> Node:
        return self.scene.node(
            {
                "cluster.node-id": f"n{number + 1}",
                "cluster.gossip.bind-addr": f"127.0.0.1:{port}",
                "cluster.join": seeds,
                "cluster.join-timeout": "1s",
                "cluster.abort-if-join-fails": "false",
            }
        )

    def agent(self, nodes: Sequence[Node], connections: int) -> Program:
        """
        Start an agent, and wait until it says that it has its tunnels.
        """
        urls = ",".join(f"http://127.0.0.1:{node.upstream}" for node in nodes)
        settings = {"connect.url": urls, "connections": connections}
        program = self.scene.agent(nodes[0], "e", self.service.port, settings, connected=None)
        eventually(lambda: program.log.count("connected to") >= connections, "the agent's tunnels")
        return program

    def upgrade(self, connections: int) -> None:
        """
        Replace an agent at load, several times, and print what was counted.
        """
        loads = [Load(node.proxy, 8) for node in self.nodes]
        self.running = self.agent(self.nodes, connections)
        for node in self.nodes:
            eventually(lambda node=node: node.fetch("/x").status == 200, "the endpoint to be served")  # type: ignore[misc]

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


def _known(node: Node) -> Sequence[object]:
    found = node.status("/status/cluster/nodes")
    assert isinstance(found, list)
    return found
