"""
How long to measure, and how often.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

#: What can be measured alone, in the order in which a round does it.
STAGES = ("requests", "watching", "bodies", "nodes", "tunnels", "ready", "gossip")

#: Connections of the load generator.
CONNECTIONS = (1, 50, 200)

#: Those of the load that shows what metrics and access log cost.
WATCHED = 50

#: Large bodies that are under way at a time.
AT_ONCE = (1, 8)

#: The size of a large body.
BODY_BYTES = 64 * 1024 * 1024


#: Nodes whose gossip is simulated.
SIZES = (3, 10, 20, 50, 100, 200)


@attrs.frozen
class Group:
    """
    Nodes whose gossip is simulated, and how long.

    :ivar endpoints: of all together; each change is of the one that was changed longest ago at its node, so there must
        be more of them than changes are on their way.
    :ivar rate: changes of endpoints a second, of all nodes together.
    :ivar seconds: simulated ones with these changes ...
    :ivar rest: ... and without.
    :ivar deaths: one after the other.
    """

    nodes: int
    endpoints: int
    rate: float
    seconds: float
    rest: float
    deaths: int


def _groups(*, quick: bool) -> tuple[Group, ...]:
    if quick:
        return tuple(Group(nodes, 2_000, 1_000.0, 1.0, 5.0, 2) for nodes in SIZES if nodes <= 20)
    return tuple(
        # The goals are for a hundred nodes with so many endpoints; the others need less time and memory with fewer.
        Group(
            nodes, 100_000 if nodes == 100 else 10_000, 5_000.0, 10.0 if nodes == 100 else 2.0, 10.0, min(5, nodes - 1)
        )
        for nodes in SIZES
    )


@attrs.frozen
class Plan:
    """
    The size of a run.

    :ivar rounds: how often everything is measured; in each round the sides take turns.
    :ivar seconds: of load at each number of connections.
    :ivar warm_up: seconds of it before the first round, which do not count.
    :ivar bodies: large bodies in one sample; eight at once are one or two sets of eight.
    :ivar tunnels: opened in one burst, and then idle.
    :ivar settle: seconds between the last tunnel and the look at the node's memory.
    :ivar groups: whose gossip is simulated, once.
    """

    quick: bool
    stages: tuple[str, ...]
    rounds: int
    seconds: int
    warm_up: int
    bodies: int
    tunnels: int
    settle: float
    groups: tuple[Group, ...]

    @property
    def steps(self) -> int:
        """
        Samples that a run takes, for the progress display.
        """
        sides = 3
        each = {
            "requests": sides * len(CONNECTIONS),
            "watching": 4,
            "bodies": sides * 2 * len(AT_ONCE),
            "nodes": sides * (len(CONNECTIONS) + 2 * len(AT_ONCE)),
            "tunnels": 1,
            "ready": 1,
            "gossip": 0,
        }
        once = len(self.groups) + 1 if "gossip" in self.stages else 0
        warm_up = sum(sides * len(CONNECTIONS) for stage in ("requests", "nodes") if stage in self.stages)
        warm_up += each["watching"] if "watching" in self.stages else 0
        return once + warm_up + self.rounds * sum(each[stage] for stage in self.stages)


def make_plan(*, quick: bool, only: Sequence[str]) -> Plan:
    """
    Make the plan of a run.

    :param only: stages; all of them when empty.
    :raises ValueError: for one that does not exist.
    """
    unknown = [stage for stage in only if stage not in STAGES]
    if unknown:
        raise ValueError(f"nothing is called {', '.join(unknown)}; there are {', '.join(STAGES)}")
    stages = tuple(stage for stage in STAGES if not only or stage in only)
    groups = _groups(quick=quick)
    if quick:
        return Plan(
            quick=True, stages=stages, rounds=1, seconds=1, warm_up=1, bodies=2, tunnels=1000, settle=0.5, groups=groups
        )
    return Plan(
        quick=False, stages=stages, rounds=5, seconds=4, warm_up=1, bodies=8, tunnels=3000, settle=1.0, groups=groups
    )
