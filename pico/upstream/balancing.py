"""
Which of several upstreams takes the next request.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from pico.interfaces import IUpstream


def least_in_flight(upstreams: Sequence[IUpstream], start: int, tried: Container[object], now: float) -> int | None:
    """
    Choose the upstream with the fewest requests in flight, the next in turn among equals.

    One that has just failed (``avoid_until`` lies ahead) is chosen only when all others have failed too: a dead
    service behind one of two agents then costs one failed attempt a second, not every second request.

    :param start: where the turn is; looked at first.
    :param tried: upstreams that must not be chosen.
    :return: an index, or ``None`` when all have been tried.
    """
    count = len(upstreams)
    best: int | None = None
    best_load = 0
    best_avoided = True
    for step in range(count):
        index = start + step
        if index >= count:
            index -= count
        upstream = upstreams[index]
        avoided = upstream.avoid_until > now
        load = upstream.in_flight
        if best is not None and (avoided, load) >= (best_avoided, best_load):
            continue
        if upstream in tried:
            continue
        best, best_load, best_avoided = index, load, avoided
        if not load and not avoided:
            break
    return best
