"""
Links in numbers. Nothing is added to the way of a request: they are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from pico.cluster.accept import LinkPort
from pico.cluster.remote import Remotes
from pico.exposition import Description, Kind, Samples
from pico.metrics import Metrics

#: Links that this node has dialled, and those that others have dialled to it.
OUT, IN = ("out",), ("in",)


def watch_links(metrics: Metrics, port: LinkPort, remotes: Remotes) -> None:
    """
    Show the links of a node, both ways.
    """

    def read() -> Iterator[Samples]:
        links = list(remotes.links)
        received, sent = port.passed
        yield [(OUT, sum(link.session is not None for link in links)), (IN, port.links)]
        yield [(OUT, sum(link.streams for link in links)), (IN, port.streams)]
        yield [((), sum(link.resting for link in links))]
        yield [
            *((("out", verdict.name.lower()), number) for verdict, number in remotes.answers.items()),
            *((("in", verdict.name.lower()), number) for verdict, number in port.count.answers.items()),
        ]
        yield [((refusal.name.lower(),), number) for refusal, number in port.count.refused.items()]
        yield [((), received)]
        yield [((), sent)]
        yield [((node,), number.value) for node, number in remotes.requests.items()]

    metrics.group(
        [
            Description(
                "pico_cluster_links",
                Kind.GAUGE,
                "Links between this node and others, by who has dialled: out for this node, in for others.",
                ("direction",),
            ),
            Description(
                "pico_cluster_link_streams", Kind.GAUGE, "Streams open over links, idle ones included.", ("direction",)
            ),
            Description(
                "pico_cluster_links_resting",
                Kind.GAUGE,
                "Nodes that could not be reached a moment ago and are left alone.",
            ),
            Description(
                "pico_cluster_link_answers_total",
                Kind.COUNTER,
                "New streams over links, by what the node that holds the tunnels said to them.",
                ("direction", "verdict"),
            ),
            Description(
                "pico_cluster_link_refusals_total",
                Kind.COUNTER,
                "Connections from whoever could not prove to be a node of this cluster, by reason.",
                ("reason",),
            ),
            Description(
                "pico_cluster_link_bytes_received_total",
                Kind.COUNTER,
                "Bytes from other nodes for tunnels of this one.",
            ),
            Description(
                "pico_cluster_link_bytes_sent_total", Kind.COUNTER, "Bytes from tunnels of this node to other nodes."
            ),
            Description(
                "pico_upstreams_remote_requests_total",
                Kind.COUNTER,
                "Requests that went to another node with tunnels of their endpoint, each time that they did.",
                ("node_id",),
            ),
        ],
        lambda: list(read()),
    )
