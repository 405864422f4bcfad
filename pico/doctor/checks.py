"""
What is looked at, for a node and for an agent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from pico.client.dialer import DialSettings
from pico.client.urls import parse_node_url
from pico.config.addresses import parse_address
from pico.config.agent import AgentConfig
from pico.config.files import files_of_agent, files_of_node
from pico.config.server import GOSSIP_PORT, ServerConfig
from pico.doctor.clocks import judge_clock
from pico.doctor.cluster import look_at_datagrams, look_at_secrets, look_at_seeds
from pico.doctor.finding import Check, Finding, Level, warn
from pico.doctor.limits import look_at_open_files
from pico.doctor.node import Account, look_at_endpoint, look_at_node
from pico.doctor.ports import Port, look_at_ports
from pico.doctor.running import running_node
from pico.doctor.services import look_at_service
from pico.doctor.supervision import look_at_supervisor

#: The endpoint that is asked for when none is configured.
_NO_ENDPOINT = "pico-doctor"


def checks_of_server(config: ServerConfig, limit: float) -> Sequence[Check]:
    """
    What a node needs.

    :param limit: seconds for each check.
    """
    # Several waits of one check come one after the other, and must fit into its time.
    step = limit / 5
    ports = [
        Port("proxy", parse_address(config.proxy.bind_addr), config.proxy.advertise_addr),
        Port(
            "upstream",
            parse_address(config.upstream.bind_addr),
            config.upstream.advertise_addr,
            told=bool(config.upstream.advertise_addr),
        ),
        Port("admin", parse_address(config.admin.bind_addr), config.admin.advertise_addr),
    ]
    running = partial(running_node, ports[-1].address, step)
    cluster = config.cluster
    gossip = parse_address(cluster.gossip.bind_addr)
    advertise = cluster.gossip.advertise_addr
    ports.append(Port("cluster.gossip", gossip, advertise, told=bool(advertise or cluster.join)))
    seeds = partial(
        look_at_seeds,
        cluster.join,
        gossip.port or GOSSIP_PORT,
        must_join=cluster.abort_if_join_fails,
        limit=step,
    )
    return [
        Check("ports", partial(look_at_ports, ports, limit=step, running=running)),
        Check("gossip port", partial(look_at_datagrams, gossip, running)),
        Check("cluster.secret_keys", partial(look_at_secrets, len(cluster.secret_keys), gossip)),
        *([Check("other nodes", seeds)] if cluster.join else []),
        Check("open files", partial(look_at_open_files, files_of_node(config))),
        *_of_everybody(),
    ]


def checks_of_agent(config: AgentConfig, limit: float) -> tuple[Sequence[Check], Sequence[Check]]:
    """
    What an agent needs.

    :param limit: seconds for each check.
    :return: what to look at first, and what there is to look at if the findings of that say that there is a node.
    :raises pico.errors.ConfigError: the node's URL, the token or the tenant cannot be used.
    """
    urls = [parse_node_url(url) for url in config.connect.url]
    # What the agent would not send, because it holds line ends and the like, is not sent here either.
    for url in urls:
        DialSettings(url, token=config.connect.token, tenant_id=config.connect.tenant_id)
    account = Account(config.connect.token, config.connect.tenant_id)
    step = limit / 3
    endpoints = list(dict.fromkeys(listener.endpoint_id for listener in config.listeners)) or [_NO_ENDPOINT]
    own = [Port("server", parse_address(config.server.bind_addr), told=False)] if config.server.enabled else []
    first = [
        *(Check("node", partial(look_at_node, url, step)) for url in urls),
        *(Check(f"service of {each.endpoint_id}", partial(look_at_service, each, step)) for each in config.listeners),
        *([] if config.listeners else [Check("listeners", _nothing_exposed)]),
        *([Check("ports", partial(look_at_ports, own, limit=step))] if own else []),
        Check("open files", partial(look_at_open_files, files_of_agent(config))),
        *_of_everybody(),
    ]
    second = [
        Check(f"endpoint {endpoint}", partial(look_at_endpoint, url, endpoint, account, step))
        for url in urls
        for endpoint in endpoints
    ]
    return first, second


def node_was_reached(findings: Iterable[Finding]) -> bool:
    """
    Whether findings say that there is a node to ask.
    """
    return any(finding.subject == "node" and finding.level is Level.OK for finding in findings)


def _of_everybody() -> list[Check]:
    return [
        Check("clock", lambda: [judge_clock(time.time())]),
        Check("supervisor", partial(look_at_supervisor, os.environ)),
    ]


def _nothing_exposed() -> Iterator[Finding]:
    yield warn("listeners", "nothing is exposed", "list endpoints under listeners, or name them on the command line")
