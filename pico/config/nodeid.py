"""
Names for nodes.
"""

from __future__ import annotations

import random
import string

from pico.names import NodeId

_LETTERS = string.ascii_lowercase + string.digits


def make_node_id(node_id: str, prefix: str, chooser: random.Random) -> NodeId:
    """
    The configured name, or the prefix and seven random characters: a name that was never used before.
    """
    if node_id:
        return NodeId(node_id)
    return NodeId(prefix + "".join(chooser.choices(_LETTERS, k=7)))
