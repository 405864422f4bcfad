"""
Upgrades of nodes under load: they are stopped, killed and started, and clients that never retry notice nothing, or no
more than cannot be helped.

Each test prints what it has counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from tests.system.balancers import HAProxy, NginxBalancer
from tests.system.case import pico
from tests.system.crowd import Crowd
from tests.system.rolling import REQUESTS, SLACK, RollingTestCase, Tables


class NodeTests(RollingTestCase):
    """
    Nodes are restarted.
    """

    def test_behind_haproxy(self) -> None:
        """
        All three nodes are restarted twice in a row behind a load balancer that asks for their readiness. An endpoint
        with four tunnels and one with a single one are served without a gap.
        """
        places = self.places[:3]
        for place in places:
            self.start(place)
        balancer = HAProxy(self.scene, places)
        for _ in range(2):
            self.agent(balancer.agents, "e")
        self.agent(balancer.agents, "single", connections=1)
        crowd = Crowd(balancer.clients, endpoints=("e", "single"))
        tables = Tables(places, ("e", "single", "e-ws", "single-ws"))

        async def plan() -> None:
            for _ in range(2):
                for place in places:
                    await crowd.until(1000)
                    await asyncio.to_thread(self.stop, place.name)
                    await asyncio.to_thread(self.restart, place.name)

        self.drive(crowd, plan, tables, REQUESTS, "two rolling restarts of three nodes behind HAProxy")
        self.assert_nothing_failed(crowd, tables, REQUESTS)

    def test_behind_nginx(self) -> None:
        """
        The same behind one that asks nobody and tries nothing twice: whoever restarts a node tells it before, as a
        script does.
        """
        places = self.places[:3]
        for place in places:
            self.start(place)
        balancer = HAProxy(self.scene, places)
        nginx = NginxBalancer(self.scene, places)
        for _ in range(2):
            self.agent(balancer.agents, "e")
        self.agent(balancer.agents, "single", connections=1)
        crowd = Crowd(nginx.port, endpoints=("e", "single"), keep_alive=False)
        tables = Tables(places, ("e", "single", "e-ws", "single-ws"))

        async def plan() -> None:
            for _ in range(2):
                for place in places:
                    await crowd.until(1000)
                    order = await asyncio.to_thread(pico, "drain", f"--server.url=http://127.0.0.1:{place.admin}")
                    self.assertEqual(order.returncode, 0, order.stderr)
                    await asyncio.to_thread(nginx.use, [other for other in places if other is not place])
                    await asyncio.to_thread(self.stop, place.name)
                    await asyncio.to_thread(self.restart, place.name)
                    await asyncio.to_thread(nginx.use, places)

        self.drive(crowd, plan, tables, REQUESTS, "two rolling restarts of three nodes behind nginx")
        self.assert_nothing_failed(crowd, tables, REQUESTS)

    def test_killed_in_between(self) -> None:
        """
        Between restarts nodes are killed: what fails was on its way when one was, and there is not more of it than the
        node can have had under way.
        """
        places = self.places[:3]
        for place in places:
            self.start(place)
        balancer = HAProxy(self.scene, places, retries=3)
        for _ in range(2):
            self.agent(balancer.agents, "e")
        crowd = Crowd(balancer.clients, bearable=1000)
        killed: list[float] = []

        async def plan() -> None:
            for number in range(3):
                place, other = places[number], places[number - 1]
                await crowd.until(3000)
                await asyncio.to_thread(self.stop, place.name)
                await asyncio.to_thread(self.restart, place.name)
                await asyncio.to_thread(self.settle, 8)
                await crowd.until(3000)
                # Before: what fails by it cannot have ended earlier.
                killed.append(time.monotonic())
                await asyncio.to_thread(self.nodes[other.name].program.kill)
                await crowd.until(3000)
                await asyncio.to_thread(self.restart, other.name)
                await asyncio.to_thread(self.settle, 8)

        self.drive(crowd, plan, None, REQUESTS, "three nodes restarted, and one killed after each")
        kinds = Counter(failure.what.split(" ")[0] for failure in crowd.failures)
        print(f"{len(killed)} nodes killed, under way on them: {dict(kinds)}")
        for failure in crowd.failures:
            self.assertTrue(
                any(moment < failure.ended and failure.began < moment + SLACK for moment in killed), failure
            )
        self.assertLessEqual(len(crowd.failures), len(killed) * crowd.size)
