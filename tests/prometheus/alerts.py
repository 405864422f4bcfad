"""
The alerts of ``etc/prometheus/alerts.yaml``, read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import yaml

FOLDER: Final = Path(__file__).parent.parent.parent / "etc" / "prometheus"


@attrs.frozen
class Alert:
    """
    One alert.
    """

    name: str
    query: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def alerts() -> Sequence[Alert]:
    """
    All of them.
    """
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for group in groups
        for rule in group["rules"]
    ]
