"""
Numbers of metrics for tests.
"""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families


def value_of(text: str, series: str) -> float:
    """
    The sum of all series of a name that have the labels given, ``name{label="value"}``, whatever others they have.

    :param text: in the format of Prometheus.
    """
    name, _, rest = series.partition("{")
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    families = text_string_to_metric_families(text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and wanted.items() <= sample.labels.items()
    )
