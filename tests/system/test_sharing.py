"""
Several agents on one endpoint, under load: what stops, dies or is broken must cost no client anything it need not.

Clients here never retry and compare every body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.system.case import Node, SystemTestCase
from tests.system.load import Load
from tests.system.processes import Program, eventually
from tests.system.services import HTTPService


async def _in_thread(call: Callable[[], object]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, call)


class SharingTests(SystemTestCase):
    """
    Two agents, one endpoint.
    """

    def _node(self) -> Node:
        return self.scene.node()

    def test_graceful_stops(self) -> None:
        """
        Agents that are stopped one after the other, and come back, lose no request, POSTs included.
        """
        node = self._node()
        service = self.scene.run(HTTPService("s"))
        agents: list[Program] = [self.scene.agent(node, "e", service.port, connected=n) for n in (1, 2)]
        load = Load(node.proxy, 40)

        async def plan() -> None:
            for round_number in range(4):
                before = load.served
                while load.served < before + 3000 and not load.wrong:
                    await asyncio.sleep(0.02)
                agents[round_number % 2].terminate()
                await _in_thread(agents[round_number % 2].wait)
                agents[round_number % 2] = await asyncio.to_thread(
                    self.scene.agent, node, "e", service.port, connected=2
                )

        asyncio.run(load.run(plan, at_least=20_000))
        self.assertEqual(load.wrong, [])
        self.assertGreaterEqual(load.served, 20_000)
        print(f"served {load.served} requests through four graceful stops of an agent, 0 failed")

    def test_both_share(self) -> None:
        """
        Both agents get their part of the requests.
        """
        node = self._node()
        services = [self.scene.run(HTTPService(f"s{n}")) for n in range(2)]
        for number, service in enumerate(services):
            self.scene.agent(node, "e", service.port, connected=number + 1)
        load = Load(node.proxy, 10)

        async def plan() -> None:
            pass

        asyncio.run(load.run(plan, at_least=1000))
        self.assertEqual(load.wrong, [])
        shares = [sum(service.counts.values()) for service in services]
        self.assertGreater(min(shares), sum(shares) // 4)

    def test_dead_service(self) -> None:
        """
        When one of two services is down, its agent's requests go to the other one, POSTs included.
        """
        node = self._node()
        service = self.scene.run(HTTPService("s"))
        program, port = self.scene.service_program("doomed")
        self.scene.agent(node, "e", service.port, connected=1)
        self.scene.agent(node, "e", port, connected=2)
        program.kill()
        load = Load(node.proxy, 20)

        async def plan() -> None:
            pass

        asyncio.run(load.run(plan, at_least=5000))
        self.assertEqual(load.wrong, [])
        self.assertGreater(node.metrics()["pico_proxy_retries_total"], 0)

    def test_killed_agent(self) -> None:
        """
        A killed agent takes only POSTs with it that it had under way; idempotent requests go to the other agent.
        """
        node = self._node()
        service = self.scene.run(HTTPService("s"))
        agents = [self.scene.agent(node, "e", service.port, connected=n) for n in (1, 2)]
        load = Load(node.proxy, 20, posts=False)

        async def plan() -> None:
            while load.served < 1000 and not load.wrong:
                await asyncio.sleep(0.02)
            agents[0].kill()

        asyncio.run(load.run(plan, at_least=5000))
        self.assertEqual(load.wrong, [])
        node.wait_for_tunnels("e", 1)
        self.scene.agent(node, "e", service.port, connected=2)

    def test_500_clients(self) -> None:
        """
        Five hundred clients at a time are served through one tunnel.
        """
        node = self._node()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        load = Load(node.proxy, 500)

        async def plan() -> None:
            pass

        asyncio.run(load.run(plan, at_least=5000))
        self.assertEqual(load.wrong, [])


class ComingBackTests(SystemTestCase):
    """
    Connections that go away, and connections that only seem to be there.
    """

    def test_node_restarted(self) -> None:
        """
        An agent dials a node that was restarted until it is there again.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        self.assertEqual(node.fetch("/").status, 200)
        node.program.terminate()
        self.assertEqual(node.program.wait(), 0)
        node.restart()
        node.wait_for_tunnels("e", 1)
        self.assertEqual(node.fetch("/").status, 200)

    def test_node_killed(self) -> None:
        """
        The same when the node had no time to say goodbye.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        node.program.kill()
        node.restart()
        node.wait_for_tunnels("e", 1)
        self.assertEqual(node.fetch("/").status, 200)

    def test_frozen_agent(self) -> None:
        """
        A tunnel whose agent does not answer is found by keep-alive, and the agent dials anew when it thaws.
        """
        node = self.scene.node({"upstream.keepalive-interval": "500ms", "upstream.keepalive-timeout": "500ms"})
        service = self.scene.run(HTTPService("s"))
        agent = self.scene.agent(node, "e", service.port)
        agent.freeze()
        node.wait_for_tunnels("e", 0)
        response = node.fetch("/")
        self.assertEqual((response.status, response.json()["error"]), (502, "no available upstreams"))  # type: ignore[index]
        agent.thaw()
        node.wait_for_tunnels("e", 1)
        eventually(lambda: node.fetch("/").status == 200, "the thawed agent serves")
