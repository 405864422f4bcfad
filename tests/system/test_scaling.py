"""
Agents that are replaced and clusters that grow and shrink, under load: clients that never retry notice nothing.

Each test prints what it has counted.
"""

from __future__ import annotations

import asyncio

from tests.system.balancers import HAProxy
from tests.system.crowd import Crowd
from tests.system.processes import Program
from tests.system.rolling import GRACE_PERIOD, REQUESTS, RollingTestCase, Tables


class AgentTests(RollingTestCase):
    """
    Agents are restarted.
    """

    def begin(self) -> tuple[HAProxy, list[Program]]:
        """
        Start three nodes, and two agents of one endpoint.
        """
        places = self.places[:3]
        for place in places:
            self.start(place)
        balancer = HAProxy(self.scene, places)
        return balancer, [self.agent(balancer.agents, "e") for _ in range(2)]

    def end(self, agent: Program) -> None:
        """
        Have an agent stop.
        """
        agent.terminate()
        self.assertEqual(agent.wait(GRACE_PERIOD + 10), 0)

    def test_restarted(self) -> None:
        """
        Two agents of an endpoint are restarted one after the other, and again.
        """
        balancer, agents = self.begin()
        crowd = Crowd(balancer.clients)
        tables = Tables(self.places[:3], ("e", "e-ws"))

        async def plan() -> None:
            for number in (0, 1, 0, 1):
                await crowd.until(2000)
                await asyncio.to_thread(self.end, agents[number])
                agents[number] = await asyncio.to_thread(self.agent, balancer.agents, "e")
                await asyncio.to_thread(self.settle, 8)

        self.drive(crowd, plan, tables, REQUESTS, "two agents restarted twice")
        self.assert_nothing_failed(crowd, tables, REQUESTS)

    def test_with_a_node(self) -> None:
        """
        An agent and a node are restarted at the same time; the other agent and the other nodes are enough.
        """
        balancer, agents = self.begin()
        crowd = Crowd(balancer.clients)
        tables = Tables(self.places[:3], ("e", "e-ws"))

        async def plan() -> None:
            for number, name in enumerate("abc"):
                await crowd.until(2000)
                await asyncio.gather(
                    asyncio.to_thread(self.end, agents[number % 2]), asyncio.to_thread(self.stop, name)
                )
                _, agents[number % 2] = await asyncio.gather(
                    asyncio.to_thread(self.restart, name), asyncio.to_thread(self.agent, balancer.agents, "e")
                )
                await asyncio.to_thread(self.settle, 8)

        self.drive(crowd, plan, tables, REQUESTS, "an agent and a node restarted at the same time, three times")
        self.assert_nothing_failed(crowd, tables, REQUESTS)


class ScaleTests(RollingTestCase):
    """
    Nodes are added and taken away.
    """

    def test_out_and_back(self) -> None:
        """
        Three nodes become five, and three again, which have all the tunnels then.
        """
        for place in self.places[:3]:
            self.start(place)
        balancer = HAProxy(self.scene, self.places)
        for _ in range(3):
            self.agent(balancer.agents, "e")
        crowd = Crowd(balancer.clients)
        tables = Tables(self.places, ("e", "e-ws"))

        async def plan() -> None:
            for place in self.places[3:]:
                await crowd.until(2000)
                await asyncio.to_thread(self.start, place)
            # Who comes now finds the new ones as well.
            for _ in range(3):
                await asyncio.to_thread(self.agent, balancer.agents, "e")
            await asyncio.to_thread(self.settle, 24)
            print(f"tunnels at five nodes: {self.tunnels()}")
            self.assertGreater(min(self.tunnels().values()), 0)
            for place in self.places[:2]:
                await crowd.until(2000)
                await asyncio.to_thread(self.stop, place.name)
            await asyncio.to_thread(self.settle, 24)
            print(f"tunnels at three nodes: {self.tunnels()}")
            self.assertGreater(min(self.tunnels().values()), 0)

        self.drive(crowd, plan, tables, REQUESTS, "three nodes, five, and three again")
        self.assert_nothing_failed(crowd, tables, REQUESTS)
