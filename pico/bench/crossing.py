"""
Whether what two nodes carry goes over the link between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pico.bench.sides import Side


class Crossing:
    """
    Looks at what the second of two nodes counts, before and after something was carried.
    """

    def __init__(self, numbers: Callable[[int], Mapping[str, float]], side: Side) -> None:
        """
        Look for the first time.

        :param numbers: asks an admin port for the numbers of a node.
        :param side: one without a link is not looked at.
        """
        self._numbers = numbers
        self._side = side
        self._before = self._crossed()

    def fault(self, size: int) -> str:
        """
        Look again.

        :param size: bytes of all bodies since the first look: as many must have gone over the link, either way.
        :return: what is wrong; empty if nothing is.
        """
        crossed = self._crossed() - self._before
        if not self._side.link or crossed >= size:
            return ""
        return f"{crossed:.0f} bytes crossed the link between the nodes, of at least {size}"

    def _crossed(self) -> float:
        if not self._side.link:
            return 0.0
        numbers = self._numbers(self._side.link)
        return sum(numbers.get(f"pico_cluster_link_bytes_{way}_total", 0.0) for way in ("received", "sent"))
