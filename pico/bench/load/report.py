"""
What came of it, for people and for programs.
"""

from __future__ import annotations

from collections.abc import Mapping

from pico.bench.load.plan import Requests, Upstreams
from pico.bench.load.tally import Tally

_PERCENTILES = (50.0, 90.0, 99.0, 99.9)

#: Kinds of errors that people are shown; the most frequent first.
_SHOWN = 10


def http_data(plan: Requests, tally: Tally, upstreams: Mapping[str, object], *, interrupted: bool) -> dict[str, object]:
    """
    A run of requests as data.
    """
    return {
        "kind": "http",
        "interrupted": interrupted,
        "clients": plan.clients,
        "endpoints": plan.endpoints,
        "size": plan.size,
        "rate": plan.rate,
        "requests": tally.done,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "seconds": round(tally.seconds, 3),
        "requests_per_second": round(tally.rate, 1),
        "latency_ms": _times(tally),
        "errors": dict(tally.errors.most_common()),
        "upstreams": upstreams,
    }


def upstreams_data(plan: Upstreams, tally: Tally, *, connected: int, lost: int, interrupted: bool) -> dict[str, object]:
    """
    A set of tunnels as data.

    :param connected: how many stand at the end.
    """
    return {
        "kind": "upstreams",
        "interrupted": interrupted,
        "upstreams": plan.count,
        "endpoints": plan.endpoints,
        "opened": tally.succeeded,
        "connected": connected,
        "lost": lost,
        "failed_tries": tally.failed,
        "seconds": round(tally.seconds, 3),
        "tunnels_per_second": round(tally.rate, 1),
        "dial_ms": _times(tally),
        "errors": dict(tally.errors.most_common()),
    }


def http_lines(plan: Requests, tally: Tally, *, interrupted: bool) -> list[str]:
    """
    A run of requests for people.
    """
    volume = tally.rate * plan.size / 1e6
    each_way = f", {volume:,.1f} MB/s each way" if plan.size else ""
    return [
        f"requests    {tally.done:,} of {plan.count:,}{' (interrupted)' if interrupted else ''}"
        f" in {tally.seconds:.1f}s by {plan.clients:,} clients",
        f"throughput  {tally.rate:,.0f} requests/s{each_way}",
        f"latency     {_shown(tally)}",
        *_errors(tally, "errors"),
    ]


def upstreams_lines(plan: Upstreams, tally: Tally, *, interrupted: bool = False) -> list[str]:
    """
    Tunnels for people, when they have been opened.
    """
    return [
        f"tunnels     {tally.succeeded:,} of {plan.count:,}{' (interrupted)' if interrupted else ''}"
        f" in {tally.seconds:.2f}s, {tally.rate:,.0f}/s",
        f"dial        {_shown(tally)}",
        *_errors(tally, "failures"),
    ]


def _times(tally: Tally) -> dict[str, float]:
    times = tally.times
    out = {"min": times.least, "mean": times.mean}
    out.update({f"p{percent:g}": times.percentile(percent) for percent in _PERCENTILES})
    out["max"] = times.most
    return {name: round(seconds * 1000, 3) for name, seconds in out.items()}


def _shown(tally: Tally) -> str:
    return "  ".join(f"{name} {_milliseconds(value)}" for name, value in _times(tally).items())


def _milliseconds(value: float) -> str:
    return f"{value:.0f}ms" if value >= 100 else f"{value:.3g}ms"


def _errors(tally: Tally, what: str) -> list[str]:
    if not tally.failed:
        return [f"{what:12}0"]
    lines = [f"{what:12}{tally.failed:,}"]
    lines += [f"{count:>12,}  {kind}" for kind, count in tally.errors.most_common(_SHOWN)]
    more = len(tally.errors) - _SHOWN
    return [*lines, f"              and {more} kinds more"] if more > 0 else lines
