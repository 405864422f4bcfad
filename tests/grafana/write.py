"""
``python -m tests.grafana.write`` writes the dashboards into ``etc/grafana/dashboards``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.grafana.agents import AGENTS
from tests.grafana.cluster import CLUSTER
from tests.grafana.gossip import GOSSIP
from tests.grafana.model import as_json
from tests.grafana.parts import Dashboard
from tests.grafana.proxy import PROXY

FOLDER: Final = Path(__file__).parent.parent.parent / "etc" / "grafana" / "dashboards"

DASHBOARDS: Final[Sequence[Dashboard]] = (CLUSTER, GOSSIP, PROXY, AGENTS)


if __name__ == "__main__":
    for each in DASHBOARDS:
        (FOLDER / f"{each.name}.json").write_text(as_json(each), encoding="utf-8")
