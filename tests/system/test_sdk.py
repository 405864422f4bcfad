"""
Programs that embed the SDK, at load: they are replaced, and their nodes leave, and nothing is lost.

Clients never retry and compare every body; a third of the requests are POSTs.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

from tests.system.case import Node
from tests.system.http_client import request_bytes
from tests.system.load import Load
from tests.system.processes import Program, eventually
from tests.system.two_nodes import BETWEEN, TwoNodesTestCase


class SDKTests(TwoNodesTestCase):
    """
    Programs with tunnels to either of them or to both.
    """

    programs = 0

    def program(self, nodes: Sequence[Node], connections: int = 1) -> Program:
        """
        Start a program, and wait until it says that it has its tunnels.

        :param nodes: that it dials, in turn.
        """
        self.programs += 1
        urls = [f"http://127.0.0.1:{node.upstream}" for node in nodes]
        command = [sys.executable, "-m", "tests.system.sdk_program", "e", f"p{self.programs}", str(connections)]
        program = self.scene.start("program", [*command, *urls])
        eventually(lambda: program.log.count("connected to") >= connections, "the program's tunnels")
        return program

    def replace(self, connections: int) -> None:
        """
        Start a program beside another one, and stop that, several times.
        """
        loads = [Load(node.proxy, 8) for node in self.nodes]
        running = self.program(self.nodes, connections)
        self.wait_until_served()

        async def plan() -> None:
            nonlocal running
            for number in range(4):
                await self.more(loads)
                # Each begins with another node.
                nodes = self.nodes if number % 2 else self.nodes[::-1]
                new = await asyncio.to_thread(self.program, nodes, connections)
                running, old = new, running
                await asyncio.to_thread(self.wait_until_known, 2 * connections)
                old.terminate()
                await self.more(loads)
                self.assertEqual(await asyncio.to_thread(old.wait), 0)
            await self.more(loads)

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

        async def plan() -> None:
            for number in range(4):
                node, other = self.nodes[number % 2], self.nodes[number % 2 - 1]
                await self.more(loads)
                await asyncio.to_thread(self.order, node, "drain")
                await asyncio.to_thread(other.wait_for_tunnels, "e", 1)
                await asyncio.to_thread(node.wait_for_tunnels, "e", 0)
                await self.more(loads)
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
