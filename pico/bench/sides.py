"""
The processes of all sides, and where they listen.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from pico.bench.children import Child, Children
from pico.bench.configs import (
    ENDPOINT,
    SINK_ENDPOINT,
    NodePorts,
    Ports,
    agent_command,
    cluster_flags,
    make_agent_config,
    make_nginx_configs,
    server_command,
)
from pico.bench.measures import DIRECT, NGINX, NGINX_THRICE, NODES, PICO
from pico.bench.plan import BODY_BYTES
from pico.bench.probe import answers_ok, find_free_ports, listens
from pico.bench.proc import Proc

#: Every command of Pico's begins so: with the interpreter and the code that run the benchmark.
PICO_COMMAND = (sys.executable, "-m", "pico")

#: Starts a node that counts nothing.
_UNCOUNTED_NODE = (sys.executable, "-m", "pico.bench.uncounted")

#: What Pico is compared with itself by: without metrics, with those of node and agent, and with their access logs.
UNCOUNTED, COUNTED, LOGGED = "uncounted", "counted", "logged"

#: Seconds that a process may take until it serves.
_PATIENCE = 15.0

#: The configuration of the agent.
AGENT_FILE = "agent.yaml"

#: The same for the one behind two nodes, and the secret of those.
_FAR_AGENT_FILE = "agent-far.yaml"
_SECRET_FILE = "cluster.secret"


#: The processes between client and origin, in order.
HOPS = ("first", "second", "third")


@attrs.frozen
class Side:
    """
    A way to the origin.

    :ivar port: where the load goes; large bodies from the origin, too.
    :ivar sink_port: where uploads go.
    :ivar hops: the processes between, first and second and so on; none when there is nothing between.
    :ivar link: the admin port of the node that everything reaches over the link from another one, if there are two.
    """

    name: str
    port: int
    sink_port: int
    hops: Mapping[str, int]
    link: int = 0


def find_ports() -> Ports:
    """
    Find a free port for everything.
    """
    return Ports(*find_free_ports(len(attrs.fields(Ports))))


def write_files(directory: Path, ports: Ports, *, body: bool) -> Mapping[str, str]:
    """
    Write all configuration files, and the large one of the origin.

    :param body: whether the large file is needed.
    :return: the configuration files by name.
    """
    # The workers of nginx are another user when root runs this.
    directory.chmod(0o755)
    configs = {**make_nginx_configs(ports), AGENT_FILE: make_agent_config(ports)}
    for name, text in configs.items():
        (directory / name).write_text(text, "utf-8")
    files = directory / "files"
    files.mkdir()
    if body:
        piece = bytes(range(256)) * 4096
        with (files / "body").open("wb") as file:
            for _ in range(BODY_BYTES // len(piece)):
                file.write(piece)
    return configs


class Cast:
    """
    Start everything that takes part.
    """

    def __init__(
        self,
        children: Children,
        directory: Path,
        *,
        nginx: str,
        proc: Proc,
        pico: Sequence[str] = PICO_COMMAND,
    ) -> None:
        """
        :param directory: with the configuration files.
        :param nginx: where that program is.
        :param pico: the beginning of every command of Pico's.
        """
        self._children = children
        self._directory = directory
        self._nginx = nginx
        self._proc = proc
        self._pico = pico
        #: The workers of nginx, by name.
        self._workers: dict[str, int] = {}

    def start(self, ports: Ports) -> Sequence[Side]:
        """
        Start the origin, the sink and all sides.

        :return: the sides, in the order in which they take turns; all of them serve.
        :raises BenchError: if one does not.
        """
        sink = self._children.start("sink", (sys.executable, "-m", "pico.bench.sink", str(ports.sink)))
        sink.when(partial(listens, ports.sink), "listening port", within=_PATIENCE)
        for name in ("origin", "second", "first"):
            self._workers[name] = self._start_nginx(name, getattr(ports, name))
        node, _ = self.start_node(proxy=ports.proxy, upstream=ports.upstream, admin=ports.admin)
        agent = self._start_agent(ports, AGENT_FILE)
        return (
            Side(DIRECT, ports.origin, ports.sink, {}),
            Side(NGINX, ports.first, ports.first, {name: self._workers[name] for name in ("first", "second")}),
            Side(PICO, ports.proxy, ports.proxy, {"first": node.pid, "second": agent.pid}),
        )

    def start_nodes(self, ports: Ports) -> Sequence[Side]:
        """
        Start what has three hops: one nginx more, and two nodes with an agent at the second; the origin, the sink and
        the other nginx serve already.

        The nodes are joined by gossip, and clients know the first one alone, the agent the second one alone.
        """
        self._workers["front"] = self._start_nginx("front", ports.front)
        secret = self._directory / _SECRET_FILE
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32) + "\n", "ascii")
        free = find_free_ports(8)
        near, far = NodePorts(*free[:4]), NodePorts(*free[4:])
        nodes = []
        for name, node, join in (("bench-near", near, 0), ("bench-far", far, near.gossip)):
            flags = cluster_flags(name, str(secret), join)
            nodes.append(self.start_node(**attrs.asdict(node), cluster=flags)[0])
        config = make_agent_config(attrs.evolve(ports, upstream=far.upstream))
        (self._directory / _FAR_AGENT_FILE).write_text(config, "utf-8")
        agent = self._start_agent(attrs.evolve(ports, proxy=near.proxy), _FAR_AGENT_FILE)
        workers = {hop: self._workers[name] for hop, name in zip(HOPS, ("front", "first", "second"), strict=True)}
        pids = {hop: child.pid for hop, child in zip(HOPS, (*nodes, agent), strict=True)}
        return (
            Side(NGINX_THRICE, ports.front, ports.front, workers),
            Side(NODES, near.proxy, near.proxy, pids, link=far.admin),
        )

    def start_watched(self, ports: Ports) -> Sequence[Side]:
        """
        Start a node and an agent for each way to watch them; the origin and the sink serve already.
        """
        return [self._start_watched(name, ports) for name in (UNCOUNTED, COUNTED, LOGGED)]

    def _start_watched(self, name: str, ports: Ports) -> Side:
        proxy, upstream, admin, own = find_free_ports(4)
        ports = attrs.evolve(ports, proxy=proxy, upstream=upstream, admin=admin)
        logged = name == LOGGED
        config = make_agent_config(
            ports,
            log=str(self._directory / "agent-access.log") if logged else "",
            own=own if name == COUNTED else 0,
        )
        file = f"agent-{name}.yaml"
        (self._directory / file).write_text(config, "utf-8")
        node, _ = self.start_node(
            proxy=proxy,
            upstream=upstream,
            admin=admin,
            program=_UNCOUNTED_NODE if name == UNCOUNTED else (),
            log=str(self._directory / "node-access.log") if logged else "",
        )
        agent = self._start_agent(ports, file)
        return Side(name, proxy, proxy, {"first": node.pid, "second": agent.pid})

    def start_node(
        self,
        *,
        proxy: int,
        upstream: int,
        admin: int,
        gossip: int = 0,
        program: Sequence[str] = (),
        log: str = "",
        cluster: Sequence[str] = (),
    ) -> tuple[Child, float]:
        """
        Start a node.

        :param gossip: its port for other nodes; 0 for any.
        :param program: another one than ``pico server``.
        :param log: the file that its access log goes to, if it has one.
        :param cluster: its flags as one of several, see :func:`pico.bench.configs.cluster_flags`.
        :return: it, and the seconds from its start until it said that it is ready.
        """
        start = time.perf_counter()
        program = program or (*self._pico, "server")
        command = server_command(
            program, proxy=proxy, upstream=upstream, admin=admin, gossip=gossip, log=log, cluster=cluster
        )
        node = self._children.start("pico server", command)
        node.when(partial(answers_ok, admin, "/ready"), "answer 200 at /ready", within=_PATIENCE)
        return node, time.perf_counter() - start

    def _start_agent(self, ports: Ports, file: str) -> Child:
        agent = self._children.start("pico agent", agent_command(self._pico, str(self._directory / file)))
        for endpoint in (ENDPOINT, SINK_ENDPOINT):
            serves = partial(answers_ok, ports.proxy, "/", endpoint)
            agent.when(serves, f"answer 200 of endpoint {endpoint}", within=_PATIENCE)
        return agent

    def _start_nginx(self, name: str, port: int) -> int:
        """
        Start an nginx.

        :return: the number of its worker.
        """
        nginx = self._children.start(f"nginx {name}", (self._nginx, "-p", f"{self._directory}/", "-c", f"{name}.conf"))
        nginx.when(partial(listens, port), "listening port", within=_PATIENCE)

        def worker() -> int | None:
            workers = self._proc.children(nginx.pid)
            return workers[0] if workers else None

        return nginx.when(worker, "worker", within=_PATIENCE)
