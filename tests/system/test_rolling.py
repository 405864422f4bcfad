"""
Upgrades under load: nodes and agents are stopped, killed, started and added, and clients that never retry notice
nothing, or no more than cannot be helped.

Each test prints what it has counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from tests.system.balancers import Backend, HAProxy, NginxBalancer
from tests.system.case import Node, SystemTestCase, flags, pico
from tests.system.crowd import Crowd
from tests.system.http_client import AsyncClient, Broken, Malformed
from tests.system.processes import PICO, Program, eventually, free_port

#: Requests of the big tests. ROLLING_REQUESTS in the environment asks for others.
REQUESTS = int(os.environ.get("ROLLING_REQUESTS", "100000"))

#: Of a node, in seconds: for whoever stands in front, and for what is under way.
DRAIN_DELAY = 3
GRACE_PERIOD = 20

#: Seconds for which a node may look alive after it was killed: others have to read that its connections are broken.
SLACK = 0.5

KEY = "a-secret-of-this-cluster-long-and-random"


class Tables:
    """
    Looks at what live nodes know, again and again: each must know a tunnel of each endpoint at all times.

    :ivar looks: at one node each.
    :ivar nowhere: what was found missing.
    """

    def __init__(self, nodes: Sequence[Backend], endpoints: Sequence[str]) -> None:
        self._nodes = nodes
        self._endpoints = endpoints
        self.looks = 0
        self.nowhere: list[str] = []

    async def watch(self) -> None:
        """
        Look until cancelled.
        """
        while True:
            for node in self._nodes:
                with contextlib.suppress(OSError, Broken, Malformed, TimeoutError):
                    async with asyncio.timeout(5):
                        await self._look(node)
            await asyncio.sleep(0.1)

    async def _look(self, node: Backend) -> None:
        client = await AsyncClient.connect(node.admin)
        try:
            if (await client.exchange("GET", "/ready", endpoint=None)).status != 200:
                return
            total = dict.fromkeys(self._endpoints, 0)
            for each in self._nodes:
                response = await client.exchange("GET", f"/status/cluster/nodes/{each.name}", endpoint=None)
                found = response.json()
                assert isinstance(found, dict)
                if response.status == 200 and found["status"] in ("active", "leaving"):
                    for endpoint in self._endpoints:
                        total[endpoint] += found["endpoints"].get(endpoint, 0)
            self.looks += 1
            self.nowhere += [f"{node.name} knows no tunnel of {name}" for name, count in total.items() if not count]
        finally:
            client.close()


class RollingTestCase(SystemTestCase):
    """
    Nodes behind load balancers, agents and their service.
    """

    def setUp(self) -> None:
        """
        Start the service, and choose places for nodes.
        """
        super().setUp()
        self.nodes: dict[str, Node] = {}
        self.places = [Backend(name, free_port(), free_port(), free_port()) for name in "abcde"]
        self._gossip = {name: free_port() for name in "abcde"}
        secret = self.scene.directory / "secret"
        secret.write_text(f"{KEY}\n")
        secret.chmod(0o600)
        self._secret = str(secret)
        self._ports = free_port(), free_port()
        command = [sys.executable, "-m", "tests.system.lean_service", "service", *map(str, self._ports)]
        service = self.scene.start("service", command)
        service.wait_for_log("listening on")

    # Nodes

    def start(self, place: Backend) -> None:
        """
        Start a node for the first time, and wait until it is ready.
        """
        name = place.name
        seeds = [f"127.0.0.1:{self._gossip[other]}" for other in self.nodes]
        self.nodes[name] = self.scene.node(
            {
                "proxy.bind_addr": f"127.0.0.1:{place.proxy}",
                "upstream.bind_addr": f"127.0.0.1:{place.upstream}",
                "admin.bind_addr": f"127.0.0.1:{place.admin}",
                "cluster.gossip.bind_addr": f"127.0.0.1:{self._gossip[name]}",
                "cluster.node_id": name,
                "cluster.secret_keys_file": self._secret,
                **({"cluster.join": ",".join(seeds)} if seeds else {}),
                "drain_delay": f"{DRAIN_DELAY}s",
                "grace_period": f"{GRACE_PERIOD}s",
                "proxy.access_log.disable": "true",
            }
        )

    def stop(self, name: str) -> None:
        """
        Have a node drain and end; it cuts nothing, and takes no more than its time.
        """
        program = self.nodes[name].program
        began = time.monotonic()
        program.terminate()
        self.assertEqual(program.wait(DRAIN_DELAY + GRACE_PERIOD + 10), 0)
        self.assertNotIn(" cut", program.log)
        print(f"node {name} ended after {time.monotonic() - began:.1f} s")

    def restart(self, name: str) -> None:
        """
        Start a node that has ended.
        """
        others = ",".join(f"127.0.0.1:{self._gossip[other]}" for other in self.nodes if other != name)
        self.nodes[name].restart({"cluster.join": others})

    def tunnels(self) -> dict[str, int]:
        """
        How many tunnels each node has.
        """
        return {name: self.tunnels_at(node) for name, node in self.nodes.items() if node.program.running}

    def tunnels_at(self, node: Node) -> int:
        """
        How many one has.
        """
        endpoints = node.status("/status/upstream/endpoints")
        assert isinstance(endpoints, dict)
        return sum(endpoints.values())

    def settle(self, tunnels: int) -> None:
        """
        Wait until there are so many tunnels, at two nodes at least.
        """

        def settled() -> bool:
            found = self.tunnels().values()
            return sum(found) == tunnels and sum(map(bool, found)) > 1

        eventually(settled, f"{tunnels} tunnels")

    # Agents

    def agent(self, port: int, *endpoints: str, connections: int = 2) -> Program:
        """
        Start an agent, and wait until it has all its tunnels.
        """
        http, websocket = self._ports
        listeners = ",".join(f"{name}/127.0.0.1:{http},{name}-ws/127.0.0.1:{websocket}" for name in endpoints)
        settings = {
            "connect.url": f"http://127.0.0.1:{port}",
            "endpoints": listeners,
            "connections": connections,
            "grace_period": f"{GRACE_PERIOD}s",
        }
        program = self.scene.start("agent", [*PICO, "agent", *flags(settings)])
        wanted = 2 * len(endpoints) * connections
        eventually(lambda: program.log.count(": connected to") >= wanted, f"{wanted} tunnels of {endpoints}")
        return program

    # Load

    def drive(
        self, crowd: Crowd, plan: Callable[[], Awaitable[None]], tables: Tables | None, at_least: int, what: str
    ) -> None:
        """
        Let a crowd make requests while something happens.
        """

        async def run() -> None:
            watching = asyncio.create_task(tables.watch()) if tables is not None else None
            try:
                await crowd.run(plan, at_least)
            finally:
                if watching is not None:
                    watching.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await watching

        asyncio.run(run())
        looked = f"; {tables.looks} looks at routing tables, {len(tables.nowhere)} found one empty" if tables else ""
        print(crowd.summary(what) + looked)

    def assert_nothing_failed(self, crowd: Crowd, tables: Tables | None, at_least: int) -> None:
        """
        No request failed, and no node was without a tunnel.
        """
        self.assertEqual([failure.what for failure in crowd.failures], [])
        self.assertGreaterEqual(crowd.served, at_least)
        for kind in ("stream", "websocket"):
            self.assertGreater(crowd.counts[kind], 0)
        if tables is not None:
            self.assertGreater(tables.looks, 0)
            self.assertEqual(tables.nowhere, [])


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

        self.drive(crowd, plan, None, REQUESTS // 2, "three nodes restarted, and one killed after each")
        kinds = Counter(failure.what.split(" ")[0] for failure in crowd.failures)
        print(f"{len(killed)} nodes killed, under way on them: {dict(kinds)}")
        for failure in crowd.failures:
            self.assertTrue(
                any(moment < failure.ended and failure.began < moment + SLACK for moment in killed), failure
            )
        self.assertLessEqual(len(crowd.failures), len(killed) * crowd.size)


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

        self.drive(crowd, plan, tables, REQUESTS // 4, "two agents restarted twice")
        self.assert_nothing_failed(crowd, tables, REQUESTS // 4)

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

        self.drive(crowd, plan, tables, REQUESTS // 4, "an agent and a node restarted at the same time, three times")
        self.assert_nothing_failed(crowd, tables, REQUESTS // 4)


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

        self.drive(crowd, plan, tables, REQUESTS // 4, "three nodes, five, and three again")
        self.assert_nothing_failed(crowd, tables, REQUESTS // 4)
