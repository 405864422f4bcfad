"""
Several nodes in memory that find each other by themselves.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs
import msgspec

from pico.cluster.members import Holder
from pico.config.server import Admin, Cluster, Gossip, Proxy, ServerConfig, Upstream
from pico.interfaces import IVerifier
from pico.names import DEFAULT_TENANT, EndpointKey
from pico.server.node import make_server
from pico.server.service import NodeService
from pico.testing import MemoryHost
from tests.server.nodes import KEY, Places
from tests.server.support import ADMIN, GOSSIP, PROXY


@attrs.define
class Node:
    """
    A node on a host of its own name.
    """

    name: str
    host: MemoryHost
    service: NodeService

    @property
    def ready(self) -> bool:
        """
        Whether it takes traffic.
        """
        return self.service.when_ready().called


class Clusters(Places):
    """
    A network with hosts "a", "b", ... that are nodes, which join whom they are told to.

    :ivar nodes: the latest of each name.
    :ivar wait_for_upstream: of nodes that are made from now on, in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, Node] = {}
        self.wait_for_upstream = 1.0
        self._lives = 0

    def make(
        self,
        name: str,
        *join: str,
        keys: Sequence[bytes] = (KEY,),
        host: str = "",
        generation: int | None = None,
        gossip_port: int = GOSSIP,
        max_members: int = 1000,
        verifier: IVerifier | None = None,
        upstream: Upstream | None = None,
        **settings: object,
    ) -> Node:
        """
        Make a node, or another life of it.

        :param join: names of hosts.
        :param host: where it is, if not on the host of its name.
        :param generation: of this life; higher from life to life when not given.
        :param verifier: says who belongs to which tenant.
        :param settings: of ``cluster``.
        """
        self._lives += 1
        there = self.network.host(host or name)
        cluster = Cluster(
            node_id=name,
            join=join,
            secret_keys=tuple(key.decode() for key in keys),
            gossip=Gossip(bind_addr=f"{there.address}:{gossip_port}", max_members=max_members),
        )
        service = make_server(
            ServerConfig(
                cluster=msgspec.structs.replace(cluster, **settings),
                proxy=Proxy(advertise_addr=f"{there.address}:{PROXY}", wait_for_upstream=self.wait_for_upstream),
                upstream=upstream or Upstream(),
                admin=Admin(advertise_addr=f"{there.address}:{ADMIN}"),
            ),
            there,
            clock=there,
            chooser=random.Random(f"{name} {self._lives}"),
            verifier=verifier,
            wall_time=lambda: (generation if generation is not None else self._lives) / 1000,
        )
        node = self.nodes[name] = Node(name, there, service)
        return node

    def start(self, name: str, *join: str, **settings: object) -> Node:
        """
        Make one and start it; see :meth:`make`.
        """
        node = self.make(name, *join, **settings)  # type: ignore[arg-type]  # the same settings, passed on
        node.service.privilegedStartService()
        node.service.startService()
        self.network.pump()
        return node

    def start_all(self, *names: str) -> None:
        """
        Start nodes that join the first one, and let them find each other.
        """
        for name in names:
            self.start(name, *([names[0]] if name != names[0] else []))
        self.network.advance(2)
        assert all(node.ready for node in self.nodes.values())

    def holders(self, at: str, endpoint: str) -> Sequence[Holder]:
        """
        Who has tunnels of an endpoint, as far as a node knows.
        """
        membership = self.nodes[at].service.membership
        assert membership is not None
        return membership.table.holders(EndpointKey(DEFAULT_TENANT, endpoint))

    def known(self, at: str) -> dict[str, str]:
        """
        The nodes that one knows, with their status.
        """
        found = self.ask_status(at, "/status/cluster/nodes")
        assert isinstance(found, list)
        return {node["id"]: node["status"] for node in found}
