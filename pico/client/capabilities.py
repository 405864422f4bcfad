"""
What goes beyond Piko's bytes, and only by agreement.

The dialler offers words in a header of the upgrade request. The node answers on the 101 with those that it
takes up, and only they hold. A Piko server answers none. Words that either side does not know are ignored.
"""

from __future__ import annotations

from pico.names import CAPABILITIES_HEADER, GO_AWAY

#: Everything that this side understands.
OFFERED = frozenset({GO_AWAY})


def offer(offered: frozenset[str] = OFFERED) -> bytes:
    """
    The header line that offers capabilities.
    """
    return CAPABILITIES_HEADER + b": " + ", ".join(sorted(offered)).encode("ascii")


def agreed(value: bytes, offered: frozenset[str] = OFFERED) -> frozenset[str]:
    """
    What holds between the two sides.

    :param value: of the node's header; empty without.
    """
    words = value.decode("latin-1").lower().split(",")
    return offered & {word.strip() for word in words}
