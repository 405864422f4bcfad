"""
Two nodes that know each other, both with clients that never retry and compare every body; a third of the requests are
POSTs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.system.case import Node, SystemTestCase, pico
from tests.system.load import Load, under_load
from tests.system.processes import eventually, free_port

#: Answers between two steps of a plan, of each node.
BETWEEN = 200


class TwoNodesTestCase(SystemTestCase):
    """
    They are there, with nobody who serves the endpoint "e".

    :ivar nodes: the nodes.
    """

    def setUp(self) -> None:
        """
        Start the nodes.
        """
        super().setUp()
        self._gossip = [free_port(), free_port()]
        self.nodes = [self._node(number) for number in range(2)]
        for node in self.nodes:
            eventually(lambda node=node: len(_known(node)) == 2, "the nodes to know each other")  # type: ignore[misc]

    def _node(self, number: int) -> Node:
        return self.scene.node(
            {
                "cluster.node-id": f"n{number + 1}",
                "cluster.gossip.bind-addr": f"127.0.0.1:{self._gossip[number]}",
                "cluster.join": ",".join(f"127.0.0.1:{port}" for port in self._gossip),
                "cluster.join-timeout": "1s",
                "cluster.abort-if-join-fails": "false",
            }
        )

    def wait_until_served(self) -> None:
        """
        Wait until both nodes know the endpoint.
        """
        for node in self.nodes:
            eventually(lambda node=node: node.fetch("/x").status == 200, "the endpoint to be served")  # type: ignore[misc]

    def wait_until_known(self, tunnels: int) -> None:
        """
        Wait until each node knows of so many tunnels, which takes gossip some tenths of a second.
        """

        def known(node: Node) -> int:
            statuses = [node.status(f"/status/cluster/nodes/n{number + 1}") for number in range(2)]
            return sum(status["endpoints"].get("e", 0) for status in statuses if isinstance(status, dict))

        for node in self.nodes:
            eventually(lambda node=node: known(node) == tunnels, f"{tunnels} tunnels to be known")  # type: ignore[misc]

    def drive(self, plan: Callable[[], Awaitable[None]], loads: Sequence[Load], what: str) -> None:
        """
        Run a plan under load, and print what was counted: nothing may fail.
        """
        under_load(plan, *loads)
        served, wrong = sum(load.served for load in loads), [each for load in loads for each in load.wrong]
        print(f"\n{what}: {served} requests served, {len(wrong)} failed")
        self.assertEqual(wrong, [])

    def order(self, node: Node, command: str) -> None:
        """
        Tell a node something.
        """
        result = pico(command, f"--server.url=http://127.0.0.1:{node.admin}")
        self.assertEqual(result.returncode, 0, result.stderr)

    async def more(self, loads: Sequence[Load]) -> None:
        """
        Wait until some more requests of each load were served.
        """
        await asyncio.gather(*(load.until(BETWEEN) for load in loads))


def _known(node: Node) -> Sequence[object]:
    found = node.status("/status/cluster/nodes")
    assert isinstance(found, list)
    return found
