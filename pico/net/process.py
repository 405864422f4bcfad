"""
The numbers of a process that any program has: memory, CPU, files, garbage collection, version.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from pico import __version__
from pico.metrics import Metrics


def watch_process(metrics: Metrics) -> None:
    """
    Show them, under the names that every program with a Prometheus client has.
    """
    metrics.gauges("pico_build_info", "The version of Pico that runs.", ["version"], lambda: [((__version__,), 1.0)])
    metrics.register(ProcessCollector(registry=None))
    metrics.register(PlatformCollector(registry=None))
    # This one insists on a registry of its own.
    metrics.register(GCCollector(CollectorRegistry()))
