"""
All machines, and their pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.states.explore import Machine, explore
from tests.states.http1 import CLIENT, SERVER
from tests.states.link_auth import LINK_AUTH
from tests.states.pages import index, page
from tests.states.timed import DEPARTURE, KEEPALIVE, PATIENCE
from tests.states.yamux import STREAM

#: Where the pages are.
FOLDER = Path(__file__).parent.parent.parent / "docs" / "states"

MACHINES: tuple[Machine[Any], ...] = (SERVER, CLIENT, STREAM, PATIENCE, KEEPALIVE, DEPARTURE, LINK_AUTH)


def pages() -> dict[str, str]:
    """
    Every page by its file's name.
    """
    made = {"index.md": index((each.name, each.title, each.about.partition(". ")[0]) for each in MACHINES)}
    for machine in MACHINES:
        made[f"{machine.name}.md"] = page(machine, explore(machine))
    return made
