"""
Programs that embed the SDK, at load: they are replaced, and their nodes leave, and nothing is lost.

Clients never retry and compare every body; a third of the requests are POSTs.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from tests.system.case import Node, SystemTestCase, pico
from tests.system.http_client import request_bytes
from tests.system.load import Load, under_load
from tests.system.processes import Program, eventually, free_port

#: Answers between two steps of a plan, of each node.
BETWEEN = 200


class SDKTests(SystemTestCase):
    """
    Two nodes, and programs with tunnels to either of them or to both.
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
        self._programs = 0

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

    def program(self, nodes: Sequence[Node], connections: int = 1) -> Program:
        """
        Start a program, and wait until it says that it has its tunnels.

        :param nodes: that it dials, in turn.
        """
        self._programs += 1
        urls = [f"http://127.0.0.1:{node.upstream}" for node in nodes]
        command = [sys.executable, "-m", "tests.system.sdk_program", "e", f"p{self._programs}", str(connections)]
        program = self.scene.start("program", [*command, *urls])
        eventually(lambda: program.log.count("connected to") >= connections, "the program's tunnels")
        return program

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

    def replace(self, connections: int) -> None:
        """
        Start a program beside another one, and stop that, several times.
        """
        loads = [Load(node.proxy, 8) for node in self.nodes]
        running = self.program(self.nodes, connections)
        self.wait_until_served()

        async def more() -> None:
            await asyncio.gather(*(load.until(BETWEEN) for load in loads))

        async def plan() -> None:
            nonlocal running
            for number in range(4):
                await more()
                # Each begins with another node.
                nodes = self.nodes if number % 2 else self.nodes[::-1]
                new = await asyncio.to_thread(self.program, nodes, connections)
                running, old = new, running
                await asyncio.to_thread(self.wait_until_known, 2 * connections)
                old.terminate()
                await more()
                self.assertEqual(await asyncio.to_thread(old.wait), 0)
            await more()

        self.drive(plan, loads, f"4 programs replaced, {connections} tunnels each")

    def test_replaced(self) -> None:
        """
        A program with one tunnel is replaced by another that is at the other node: no request fails.
        """
        self.replace(1)

    def test_replaced_with_two_tunnels(self) -> None:
        """
        So it is with a tunnel at each node.
        """
        self.replace(2)

    def test_nodes_leave(self) -> None:
        """
        The one tunnel of the only program moves whenever its node is drained, and no request fails.
        """
        self.program(self.nodes)
        self.wait_until_served()
        loads = [Load(node.proxy, 8) for node in self.nodes]

        async def more() -> None:
            await asyncio.gather(*(load.until(BETWEEN) for load in loads))

        async def plan() -> None:
            for number in range(4):
                node, other = self.nodes[number % 2], self.nodes[number % 2 - 1]
                await more()
                await asyncio.to_thread(self.order, node, "drain")
                await asyncio.to_thread(other.wait_for_tunnels, "e", 1)
                await asyncio.to_thread(node.wait_for_tunnels, "e", 0)
                await more()
                await asyncio.to_thread(self.order, node, "undrain")

        self.drive(plan, loads, "4 nodes drained, one tunnel")

    def test_node_restarted(self) -> None:
        """
        So it is when the node is restarted, for clients of the other one.
        """
        self.program(self.nodes)
        self.wait_until_served()
        first, second = self.nodes
        load = Load(second.proxy, 8)

        async def plan() -> None:
            for _ in range(2):
                # The tunnel is to be at the node that stops.
                await asyncio.to_thread(self.order, second, "drain")
                await asyncio.to_thread(first.wait_for_tunnels, "e", 1)
                await asyncio.to_thread(self.order, second, "undrain")
                await load.until(BETWEEN)
                first.program.terminate()
                self.assertEqual(await asyncio.to_thread(first.program.wait), 0)
                self.assertNotIn(" cut", first.program.log)
                await load.until(BETWEEN)
                await asyncio.to_thread(first.restart)

        self.drive(plan, [load], "a node restarted twice, one tunnel")

    def test_stopped(self) -> None:
        """
        What a program works on when it is told to stop it brings to its end, however long that takes; then it is gone.
        """
        old = self.program(self.nodes[:1])
        self.wait_until_served()
        clients = [node.client() for node in self.nodes]
        for client in clients:
            client.send(request_bytes("GET", "/gate"))
        old.wait_for_log("2 at the gate")
        self.program(self.nodes[1:])
        old.terminate()
        self.nodes[0].wait_for_tunnels("e", 0)
        for node in self.nodes:
            eventually(lambda node=node: node.fetch("/new").body == b"p2: GET /new\n", "the new program to serve")  # type: ignore[misc]
        self.assertTrue(old.running)
        old.signal(signal.SIGUSR1)
        for client in clients:
            self.assertEqual(client.response().body, b"p1: GET /gate\n")
            client.close()
        self.assertEqual(old.wait(), 0)

    def order(self, node: Node, command: str) -> None:
        """
        Tell a node something.
        """
        result = pico(command, f"--server.url=http://127.0.0.1:{node.admin}")
        self.assertEqual(result.returncode, 0, result.stderr)


def _known(node: Node) -> Sequence[object]:
    found = node.status("/status/cluster/nodes")
    assert isinstance(found, list)
    return found
