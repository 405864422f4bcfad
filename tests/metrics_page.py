"""
The tables of ``docs/metrics.md``, made from the code.

``python -m tests.metrics_page`` writes them into the page; what stands around them is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pico.agent.service import make_agent
from pico.config.agent import AgentConfig, AgentServer, ListenerConfig
from pico.config.server import ServerConfig
from pico.exposition import Description
from pico.metrics import Metrics
from pico.server.node import make_server
from pico.testing import MemoryNetwork

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"

_TABLE = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end -->\n", re.DOTALL)


def node_metrics() -> list[Description]:
    """
    What a node has.
    """
    host = MemoryNetwork().host("node")
    metrics = Metrics()
    make_server(ServerConfig(), host, clock=host, metrics=metrics)
    return metrics.descriptions()


def agent_metrics() -> list[Description]:
    """
    What an agent has.
    """
    host = MemoryNetwork().host("agent")
    metrics = Metrics()
    config = AgentConfig(listeners=(ListenerConfig(endpoint_id="e", addr="4000"),), server=AgentServer(enabled=True))
    make_agent(config, host, clock=host, on_event=lambda event: None, metrics=metrics)
    return metrics.descriptions()


def tables() -> Mapping[str, str]:
    """
    The tables by the names that they have in the page. What every program has stands in one of its own.
    """
    node, agent = node_metrics(), agent_metrics()
    both = [description for description in node if description in agent]
    return {
        "node": _table(description for description in node if description not in both),
        "agent": _table(description for description in agent if description not in both),
        "process": _table(both),
    }


def page(text: str) -> str:
    """
    Put the tables of today into the page.
    """
    made = tables()
    return _TABLE.sub(lambda found: f"<!-- table: {found[1]} -->\n{made[found[1]]}<!-- end -->\n", text)


def _table(descriptions: Iterable[Description]) -> str:
    lines = ["| name | type | labels | meaning |", "|---|---|---|---|"]
    for each in sorted(descriptions, key=lambda each: each.name):
        labels = ", ".join(f"`{label}`" for label in each.labels)
        meaning = each.help.rstrip(".").replace("|", r"\|")
        lines.append(f"| `{each.name}` | {each.kind} | {labels} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
