"""
The load generator wrk: its command line, and what it prints.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

_LATENCY = re.compile(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m|h)\s*$", re.MULTILINE)
_TOTAL = re.compile(r"^\s+(\d+) requests in ", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)\s*$", re.MULTILINE)
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_BROKEN = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")

_MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}


@attrs.frozen
class Load:
    """
    One run of wrk.

    :ivar rate: requests a second.
    :ivar p50: median latency, in microseconds.
    :ivar refused: responses with a status of 400 and more.
    :ivar broken: connections that failed, and requests that waited too long.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    refused: int
    broken: int

    @property
    def fault(self) -> str:
        """
        What went wrong; empty if nothing did.
        """
        parts = []
        if self.refused:
            parts.append(f"{self.refused} of {self.requests} responses were errors")
        if self.broken:
            parts.append(f"{self.broken} socket errors")
        return ", ".join(parts)


def wrk_command(program: str, url: str, *, connections: int, seconds: int, endpoint: str) -> Sequence[str]:
    """
    Word the command: one thread, since it shares the machine with what it measures.
    """
    return (
        program,
        "--threads=1",
        f"--connections={connections}",
        f"--duration={seconds}s",
        "--latency",
        "--timeout=10s",
        f"--header=x-pico-endpoint: {endpoint}",
        url,
    )


def parse_wrk(output: str) -> Load:
    """
    Read what wrk prints with ``--latency``.

    :raises ValueError: if that is not it.
    """
    latency = {int(percent): float(number) * _MICROSECONDS[unit] for percent, number, unit in _LATENCY.findall(output)}
    total = _TOTAL.search(output)
    rate = _RATE.search(output)
    if total is None or rate is None or 50 not in latency or 99 not in latency:
        raise ValueError(f"wrk printed something else than expected:\n{output}")
    refused = _REFUSED.search(output)
    broken = _BROKEN.search(output)
    return Load(
        requests=int(total[1]),
        rate=float(rate[1]),
        p50=latency[50],
        p99=latency[99],
        refused=int(refused[1]) if refused else 0,
        broken=sum(map(int, broken.groups())) if broken else 0,
    )
