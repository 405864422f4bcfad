"""
What the demo consists of: the commands, and how to see that they are at work.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException

import attrs

from pico.demo.text import ENDPOINT

#: Seconds that requests under way get when the demo ends; the stream of events would never end by itself.
GRACE = 1

#: Tunnels that the demo's agent keeps, to as many nodes.
CONNECTIONS = 2

AGENT = "the agent"
BALANCER = "the load balancer"
NODES = "the nodes"
SERVICE = "the sample service"

#: Where the nodes say what they know of each other.
CLUSTER_NODES = "/status/cluster/nodes"

_HOST = "127.0.0.1"


@attrs.frozen
class Ports:
    """
    Where everything but the nodes listens, on the loopback interface.

    :ivar proxy: of the load balancer, as the next two.
    """

    proxy: int
    upstream: int
    admin: int
    service: int


@attrs.frozen
class Node:
    """
    A node of the demo.

    :ivar number: from 1 on; what stands on its key.
    :ivar id: what it is called, in all of its lives.
    :ivar host: where it listens.
    :ivar gossip: its port for other nodes.
    """

    number: int
    id: str
    host: str
    proxy: int
    upstream: int
    admin: int
    gossip: int

    @property
    def name(self) -> str:
        """
        What people are told that it is.
        """
        return f"node {self.number}"


@attrs.frozen
class Part:
    """
    One process of the demo.

    :ivar address: where to ask whether it is up, with ``path``.
    :ivar is_up: judges the body of a good answer.
    """

    name: str
    command: list[str]
    address: tuple[str, int]
    path: str
    is_up: Callable[[bytes], bool]


@attrs.frozen
class Stage:
    """
    What is started together.
    """

    name: str
    parts: Sequence[Part]


@attrs.frozen
class Plan:
    """
    All of the demo.

    :ivar sample: whether there are a sample service and an agent.
    """

    ports: Ports
    nodes: Sequence[Node]
    sample: bool = True

    def stages(self) -> list[Stage]:
        """
        What is started, in this order.
        """
        ports = self.ports
        stages = []
        if self.sample:
            command = [sys.executable, "-m", "pico.demo.service", str(ports.service)]
            stages.append(Stage(SERVICE, [Part(SERVICE, command, (_HOST, ports.service), "/", lambda body: True)]))
        stages.append(Stage(self.nodes_name, [self.node_part(node) for node in self.nodes]))
        stages.append(Stage(BALANCER, [self._balancer()]))
        if self.sample:
            stages.append(Stage(AGENT, [self._agent()]))
        return stages

    @property
    def nodes_name(self) -> str:
        """
        What all nodes are called.
        """
        return "the node" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes"

    def node_part(self, node: Node) -> Part:
        """
        How a node is started, the first time and again.
        """
        others = [f"{each.host}:{each.gossip}" for each in self.nodes if each is not node]
        return Part(
            node.name,
            [
                *(sys.executable, "-m", "pico", "server"),
                *("--proxy.bind-addr", f"{node.host}:{node.proxy}"),
                *("--upstream.bind-addr", f"{node.host}:{node.upstream}"),
                *("--admin.bind-addr", f"{node.host}:{node.admin}"),
                *("--cluster.gossip.bind-addr", f"{node.host}:{node.gossip}"),
                *("--cluster.node-id", node.id),
                *(("--cluster.join", ",".join(others)) if others else ()),
                # When all of them were killed the first one to come back finds nobody, and need not wait for long.
                *("--cluster.join-timeout", "3s"),
                "--cluster.abort-if-join-fails=false",
                *("--grace-period", f"{GRACE}s"),
            ],
            (node.host, node.admin),
            "/ready",
            lambda body: True,
        )

    def _balancer(self) -> Part:
        ports, nodes = self.ports, self.nodes
        routes = [
            (ports.proxy, [f"{node.host}:{node.proxy}" for node in nodes]),
            (ports.upstream, [f"{node.host}:{node.upstream}" for node in nodes]),
            (ports.admin, [f"{node.host}:{node.admin}" for node in nodes]),
        ]
        arguments = [f"{port}={','.join(behind)}" for port, behind in routes]
        return Part(
            BALANCER,
            [sys.executable, "-m", "pico.demo.balancer", *arguments],
            (_HOST, ports.admin),
            CLUSTER_NODES,
            lambda body: sum(row.status == "active" for row in rows_of(body)) == len(nodes),
        )

    def _agent(self) -> Part:
        ports = self.ports
        return Part(
            AGENT,
            [
                *(sys.executable, "-m", "pico", "agent"),
                *("--endpoints", f"{ENDPOINT}/{_HOST}:{ports.service}"),
                *("--connect.url", f"http://{_HOST}:{ports.upstream}"),
                *("--connections", str(min(CONNECTIONS, len(self.nodes)))),
                *("--grace-period", f"{GRACE}s"),
            ],
            (_HOST, ports.admin),
            CLUSTER_NODES,
            lambda body: any(row.upstreams for row in rows_of(body)),
        )


@attrs.frozen
class Row:
    """
    What the cluster says of a node.
    """

    id: str
    status: str
    endpoints: int
    upstreams: int


def rows_of(body: bytes) -> list[Row]:
    """
    Read a node's answer about all nodes; nothing if it is not one.
    """
    try:
        return [Row(each["id"], each["status"], each["endpoints"], each["upstreams"]) for each in json.loads(body)]
    except (ValueError, TypeError, KeyError):
        return []


def environment_of(environment: Mapping[str, str], secret: str) -> dict[str, str]:
    """
    The environment of the parts: nothing that configures Pico but the cluster's secret, because the demo says all else
    by flags, which everybody on the machine can read.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("PICO_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "PICO_CLUSTER__SECRET_KEYS": secret}


def fetch(address: tuple[str, int], path: str) -> bytes | None:
    """
    Ask a server of this machine, whatever proxy the environment names.

    :return: the body of its answer, or ``None`` if there was no answer with status 200.
    """
    connection = HTTPConnection(*address, timeout=2.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        return body if response.status == 200 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
