"""
The configuration of every process, made from templates.

nginx is started with the run's directory as its prefix, so its files name no path outside it and can stand in
the report as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

import attrs

#: The body of the small answer: 33 bytes.
ANSWER = "Hello from the origin, 33 bytes.\n"

#: The endpoints of the agent: the origin, and the sink for uploads.
ENDPOINT = "bench"
SINK_ENDPOINT = "bench-sink"

_MARK = re.compile(r"@(\w+)@")


@attrs.frozen
class Ports:
    """
    Where everything listens, on the loopback interface.

    :ivar first: the nginx that clients connect to.
    :ivar second: the nginx behind it, in front of the origin.
    :ivar front: one more in front of both.
    """

    origin: int
    sink: int
    first: int
    second: int
    proxy: int
    upstream: int
    admin: int
    front: int


@attrs.frozen
class NodePorts:
    """
    Where a node of a cluster listens.

    :ivar gossip: for other nodes, over UDP and TCP.
    """

    proxy: int
    upstream: int
    admin: int
    gossip: int


def render(template: str, **values: object) -> str:
    """
    Put values in the place of ``@name@``.

    :raises KeyError: for a name without a value.
    """
    return _MARK.sub(lambda mark: str(values[mark[1]]), template)


def make_nginx_configs(ports: Ports) -> dict[str, str]:
    """
    Make the configuration files of nginx, by name.
    """
    origin = _template("origin.conf")
    relay = _template("relay.conf")
    return {
        "origin.conf": render(origin, port=ports.origin, answer=ANSWER.replace("\n", "\\n")),
        "first.conf": render(relay, name="first", port=ports.first, next=ports.second, sink=ports.second),
        "front.conf": render(relay, name="front", port=ports.front, next=ports.first, sink=ports.first),
        "second.conf": render(relay, name="second", port=ports.second, next=ports.origin, sink=ports.sink),
    }


def make_agent_config(ports: Ports, *, log: str = "", own: int = 0) -> str:
    """
    Make the agent's configuration file.

    :param log: the file that its log and access log go to; without one it has no access log.
    :param own: its own port, which shows its metrics; without one it counts nothing.
    """
    lines = ["connect:", f"  url: http://127.0.0.1:{ports.upstream}", "listeners:"]
    for endpoint, port in ((ENDPOINT, ports.origin), (SINK_ENDPOINT, ports.sink)):
        lines += [
            f"  - endpoint_id: {endpoint}",
            f"    addr: 127.0.0.1:{port}",
            "    access_log:",
            f"      disable: {'false' if log else 'true'}",
            # As many kept connections as nginx may keep: the default is less than the connections of the load.
            "    http_client:",
            "      max_idle_conns: 512",
        ]
    if log:
        lines += ["log:", f"  path: {log}"]
    if own:
        lines += ["server:", "  enabled: true", f"  bind_addr: 127.0.0.1:{own}"]
    return "\n".join(lines) + "\n"


def cluster_flags(name: str, secret: str, join: int) -> Sequence[str]:
    """
    Word the flags of a node of a cluster.

    :param name: its id.
    :param secret: the file with the cluster's secret.
    :param join: the port for other nodes of the one that it joins; 0 for the first one.
    """
    joins = ("--cluster.join", f"127.0.0.1:{join}") if join else ()
    return ("--cluster.node-id", name, "--cluster.secret-keys-file", secret, *joins)


def server_command(
    pico: Sequence[str],
    *,
    proxy: int,
    upstream: int,
    admin: int,
    gossip: int = 0,
    log: str = "",
    cluster: Sequence[str] = (),
) -> Sequence[str]:
    """
    Word the command that starts a node.

    :param pico: the beginning of every command of Pico's that starts one.
    :param gossip: its port for other nodes; 0 for any.
    :param log: the file that its log and access log go to; without one it has no access log.
    :param cluster: see :func:`cluster_flags`.
    """
    return (
        *pico,
        "--proxy.bind-addr",
        f"127.0.0.1:{proxy}",
        "--upstream.bind-addr",
        f"127.0.0.1:{upstream}",
        "--admin.bind-addr",
        f"127.0.0.1:{admin}",
        "--cluster.gossip.bind-addr",
        f"127.0.0.1:{gossip}",
        *cluster,
        *(("--log.path", log) if log else ("--proxy.access-log.disable",)),
    )


def agent_command(pico: Sequence[str], config: str) -> Sequence[str]:
    """
    Word the command that starts an agent.

    :param config: the path of its configuration file.
    """
    return (*pico, "agent", "start", "--config.path", config)


def _template(name: str) -> str:
    return files("pico.bench").joinpath(name).read_text("utf-8")
