"""
Nodes that even out their tunnels, at load.

Clients never retry and compare every body; a third of the requests are POSTs.
"""

from __future__ import annotations

import asyncio

from tests.system.case import Node, SystemTestCase
from tests.system.load import Load, under_load
from tests.system.processes import DEADLINE, PICO, eventually, free_port
from tests.system.services import HTTPService

ENDPOINTS = 12


class RebalanceTests(SystemTestCase):
    """
    A node with all tunnels, and another that comes later.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service = self.scene.run(HTTPService("s"))
        self.gossip = [free_port(), free_port()]

    def node(self, number: int, upstream: int) -> Node:
        """
        Start a node.
        """
        return self.scene.node(
            {
                "cluster.node-id": f"n{number + 1}",
                "cluster.gossip.bind-addr": f"127.0.0.1:{self.gossip[number]}",
                "cluster.join": ",".join(f"127.0.0.1:{port}" for port in self.gossip),
                "cluster.join-timeout": "1s",
                "cluster.abort-if-join-fails": "false",
                "upstream.bind-addr": f"127.0.0.1:{upstream}",
                "upstream.rebalance.threshold": 0.1,
                "upstream.rebalance.shed-rate": 0.2,
                "upstream.rebalance.min-conns": 2,
            }
        )

    def test_second_node(self) -> None:
        """
        The tunnels spread over both nodes, and no request fails meanwhile.
        """
        upstream = free_port()
        first = self.node(0, 0)
        path = self.scene.directory / "agent.yaml"
        listeners = "".join(f"  - {{endpoint_id: e{n}, addr: '{self.service.port}'}}\n" for n in range(ENDPOINTS))
        urls = f"['http://127.0.0.1:{first.upstream}', 'http://127.0.0.1:{upstream}']"
        path.write_text(f"connect: {{url: {urls}}}\nlisteners:\n{listeners}")
        self.scene.start("agent", [*PICO, "agent", "start", f"--config.path={path}"])
        eventually(lambda: count(first) == ENDPOINTS, "all tunnels")
        loads = [Load(first.proxy, 2, endpoint=f"e{number}") for number in range(ENDPOINTS)]
        second: list[Node] = []

        async def plan() -> None:
            await asyncio.gather(*(load.until(20) for load in loads))
            second.append(await asyncio.to_thread(self.node, 1, upstream))
            await asyncio.to_thread(
                eventually,
                lambda: (count(first), count(second[0])) == (ENDPOINTS // 2, ENDPOINTS // 2),
                "the tunnels to spread",
                timeout=DEADLINE,
            )
            await asyncio.gather(*(load.until(20) for load in loads))

        under_load(plan, *loads)
        wrong = [each for load in loads for each in load.wrong]
        shed = first.metrics()["pico_upstreams_shed_total"]
        print(f"\n{shed:.0f} tunnels moved; {sum(load.served for load in loads)} requests served, {len(wrong)} failed")
        self.assertEqual(wrong, [])
        self.assertGreaterEqual(shed, ENDPOINTS // 2)
        self.assertEqual(first.program.log.count("rebalancing: "), 1)


def count(node: Node) -> int:
    """
    All tunnels of a node.
    """
    return int(node.metrics()["pico_upstreams_connected_upstreams"])
