"""
Whether queries ask for what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pico.exposition import Description, Kind
from tests.grafana.promql import asked
from tests.metrics_page import agent_metrics, node_metrics

#: Labels that Prometheus, or who scrapes, puts on everything.
OF_TARGETS: Final = frozenset({"instance", "job", "namespace"})

Known = Mapping[str, frozenset[str]]


def known_metrics() -> Known:
    """
    The series of nodes and agents by name, and their labels. A histogram is three.
    """
    known = {"up": OF_TARGETS}
    for each in (*node_metrics(), *agent_metrics()):
        known.update(_series(each))
    return known


def unknown(query: str, known: Known) -> list[str]:
    """
    What a query asks for that is not there.
    """
    found = asked(query)
    wrong = [f"{name}: no such metric" for name, _ in found.metrics if name not in known]
    for name, labels in found.metrics:
        wrong += [f"{name} has no label {label}" for label in sorted(labels - known.get(name, labels))]
    of_all = frozenset[str]().union(*(known.get(name, frozenset()) for name, _ in found.metrics))
    wrong += [f"nothing has a label {label}" for label in sorted(found.labels - of_all)]
    return wrong


def _series(each: Description) -> Known:
    labels = frozenset(each.labels) | OF_TARGETS
    if each.kind != Kind.HISTOGRAM:
        return {each.name: labels}
    return {f"{each.name}_bucket": labels | {"le"}, f"{each.name}_sum": labels, f"{each.name}_count": labels}
