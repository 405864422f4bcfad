"""
Tests for :mod:`pico.admin.numbers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.admin.numbers import watch_node
from pico.metrics import Metrics
from tests.admin.support import MadeUpNode


class NumbersTests(SynchronousTestCase):
    """
    A node that knows another.
    """

    def test_node(self) -> None:
        """
        Every status has its number, and readiness is one.
        """
        node, metrics = MadeUpNode(), Metrics()
        watch_node(metrics, node)
        text = metrics.render(False)[0].decode()
        for line in (
            'pico_cluster_nodes{status="active"} 1.0',
            'pico_cluster_nodes{status="unreachable"} 1.0',
            'pico_cluster_nodes{status="leaving"} 0.0',
            'pico_cluster_nodes{status="left"} 0.0',
            "pico_node_ready 1.0",
        ):
            self.assertIn(line, text.splitlines())
        node.ready = False
        self.assertIn("pico_node_ready 0.0\n", metrics.render(False)[0].decode())
