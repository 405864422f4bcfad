"""
What a node is and knows of others, in numbers.
"""

from __future__ import annotations

from collections import Counter

from pico.exposition import Samples
from pico.interfaces import INodeView
from pico.metrics import Metrics

#: What a node may be in the eyes of others; each has a number, be it 0.
STATUSES = ("active", "leaving", "unreachable", "left")


def watch_node(metrics: Metrics, view: INodeView) -> None:
    """
    Show whether the node takes traffic, and how many nodes it knows.
    """

    def nodes() -> Samples:
        counted = Counter(dict.fromkeys(STATUSES, 0))
        counted.update(view.statuses())
        return [((status,), count) for status, count in counted.items()]

    metrics.gauges("pico_cluster_nodes", "Known nodes by status, this one included.", ["status"], nodes)
    metrics.gauge(
        "pico_node_leaving",
        "1 from when the node drains, as it stops or by order, until that is taken back; else 0.",
        lambda: float(bool(view.leaving)),
    )
    metrics.gauge("pico_node_ready", "1 while the node takes traffic, else 0.", lambda: float(bool(view.ready)))
