"""
A cluster's gossip in memory: a program that the benchmark runs as a child.

Nodes change what they serve, rest, and die; it prints what came of that. Times are those of the simulation, CPU is
that of this process, which is all of theirs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

import attrs

from pico.bench.faults import BenchError
from pico.bench.plan import Group
from pico.gossip.peer import Status
from pico.testing.gossip import MemoryGroup, MemoryMember
from pico.testing.spread import Spread

#: Simulated seconds for all nodes to learn what all others serve ...
_FILLING = 120.0

#: ... and from a death until all know, before it is given up.
_DYING = 30.0

#: Simulated seconds after which nothing is under way any more.
_SETTLE = 3.0


@attrs.frozen
class Spreading:
    """
    What came of it.

    :ivar p50: seconds until every node knew of a change.
    :ivar unknown: changes that some node has not learnt of.
    :ivar cpu: seconds of it for a simulated second of one node, the simulation's own share included.
    :ivar bytes_out: that a node sent in a second.
    :ivar datagrams: that a node received in a second.
    :ivar rest_cpu: the same without changes, and so on.
    :ivar death: the longest time from a death until all others held the node for unreachable.
    :ivar wrongly: how often a node held another one for unreachable that was not.
    """

    p50: float
    p99: float
    last: float
    unknown: int
    cpu: float
    bytes_out: float
    datagrams: float
    rest_cpu: float
    rest_bytes_out: float
    rest_datagrams: float
    death: float
    wrongly: int


def run(group: Group) -> Spreading:
    """
    Simulate.

    :raises BenchError: the nodes do not find together, or a death is not noticed.
    """
    network = MemoryGroup()
    members = network.start_many(group.nodes)
    spread = Spread(network, members, keys=group.endpoints // group.nodes)
    spread.fill()
    try:
        network.until(spread.everybody_knows, within=_FILLING, step=0.5)
        network.advance(_SETTLE)
        busy = spread.run(group.seconds, group.rate, wait=_SETTLE)
        resting = spread.run(group.rest, 0)
        deaths = [_die(network, members, number) for number in range(group.deaths)]
    except AssertionError as error:
        raise BenchError(f"{group.nodes} nodes: {error}") from None
    return Spreading(
        p50=busy.quantile(0.5),
        p99=busy.quantile(0.99),
        last=busy.quantile(1),
        unknown=busy.changes - busy.known,
        cpu=busy.cpu,
        bytes_out=busy.bytes_out,
        datagrams=busy.datagrams_in,
        rest_cpu=resting.cpu,
        rest_bytes_out=resting.bytes_out,
        rest_datagrams=resting.datagrams_in,
        death=max(deaths),
        wrongly=sum(member.core.counters.deaths for member in members) - len(deaths) * len(members),
    )


def _die(network: MemoryGroup, members: list[MemoryMember], number: int) -> float:
    """
    Let the last of the living members die, not at the same point of an interval as the one before.

    :return: the seconds until all others know.
    """
    network.advance(1 + number / 7)
    victim = members.pop()
    victim.kill()

    def known() -> bool:
        return all(member.status(victim) is Status.UNREACHABLE for member in members)

    return network.until(known, within=_DYING)


def main(arguments: Sequence[str]) -> None:
    """
    Print it.

    :param arguments: the fields of :class:`~pico.bench.plan.Group` as JSON.
    """
    began = time.monotonic()
    try:
        answer = attrs.asdict(run(Group(**json.loads(arguments[0]))))
    except BenchError as error:
        raise SystemExit(str(error)) from None
    print(json.dumps({**answer, "took": time.monotonic() - began}))


if __name__ == "__main__":
    main(sys.argv[1:])
