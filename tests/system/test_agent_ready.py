"""
Agents that are replaced as a supervisor does it: the old one is stopped as soon as the new one says that it is ready.
"""

from __future__ import annotations

import asyncio

from tests.system.case import Node
from tests.system.http_client import Client
from tests.system.load import Load
from tests.system.processes import Program, eventually, free_port
from tests.system.services import HTTPService
from tests.system.two_nodes import TwoNodesTestCase


class ReadyTests(TwoNodesTestCase):
    """
    Two nodes, and agents of which each knows the other one than the one before.
    """

    def agent(self, node: Node, service: HTTPService) -> Program:
        """
        Start an agent, and wait until it is ready.
        """
        port = free_port()
        settings = {"server.enabled": None, "server.bind_addr": f"127.0.0.1:{port}"}
        program = self.scene.agent(node, "e", service.port, settings, connected=None)

        def ready() -> bool:
            with Client(port) as client:
                return client.get("/ready").status == 200

        eventually(ready, "the agent to be ready")
        return program

    def test_replaced(self) -> None:
        """
        No request fails, at whichever node.
        """
        service = self.scene.run(HTTPService("s"))
        loads = [Load(node.proxy, 8) for node in self.nodes]
        running = self.agent(self.nodes[1], service)
        self.wait_until_served()

        async def plan() -> None:
            nonlocal running
            for number in range(6):
                await self.more(loads)
                new = await asyncio.to_thread(self.agent, self.nodes[number % 2], service)
                running, old = new, running
                old.terminate()
                await self.more(loads)
                self.assertEqual(await asyncio.to_thread(old.wait), 0)
            await self.more(loads)

        self.drive(plan, loads, "6 agents replaced when their successors are ready")
