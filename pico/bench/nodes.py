"""
The way over two nodes, beside that over two and three nginx.
"""

from __future__ import annotations

from collections.abc import Sequence

from pico.bench.measures import NGINX
from pico.bench.sides import Side
from pico.bench.stages import Bench, Bodies, Requests


class Nodes:
    """
    Two nodes, with a link between them, as requests and bodies are measured with one.
    """

    def __init__(self, bench: Bench, sides: Sequence[Side], further: Sequence[Side]) -> None:
        """
        :param sides: all sides with one node, of which only nginx → nginx is used.
        :param further: those of :meth:`pico.bench.sides.Cast.start_nodes`.
        """
        taken = [*(side for side in sides if side.name == NGINX), *further]
        self._requests = Requests(bench, taken, "nodes.")
        self._bodies = Bodies(bench, taken, "nodes.")

    def warm_up(self) -> None:
        """
        Let every side open its connections and learn its headers.
        """
        self._requests.warm_up()

    def measure(self, name: str) -> None:
        """
        Take one sample of everything.

        :param name: of the round.
        """
        self._requests.measure(name)
        self._bodies.measure(name)
