"""
What tests of upgrades under load share: a cluster of nodes that come and go, agents, looks at routing tables, and a
crowd of clients that never retry.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.system.balancers import Backend
from tests.system.case import Node, SystemTestCase, flags
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
