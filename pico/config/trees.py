"""
Which programs have a configuration, and whose a given one is.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.fields import Tree, leaves
from pico.config.server import ServerConfig


@attrs.frozen
class Program:
    """
    A program with a tree of its own.

    :ivar name: as it is given to ``pico``.
    :ivar what: as sentences speak of it.
    """

    name: str
    what: str
    tree: Tree


SERVER = Program("server", "a node", ServerConfig)
AGENT = Program("agent", "an agent", AgentConfig)
PROGRAMS = (SERVER, AGENT)


def program_of(tree: Tree) -> Program:
    """
    The program that a tree, or a listener of one, belongs to.
    """
    return AGENT if tree in (AgentConfig, ListenerConfig) else SERVER


def recognise(*sources: Iterable[str]) -> Program:
    """
    Tell whose configuration this is.

    :param sources: the outermost keys that each gives. The first source that tells decides; a node's, if none does.
    """
    own = {program.name: {path[0] for leaf in leaves(program.tree) for path in leaf.paths} for program in PROGRAMS}
    for roots in sources:
        names = set(roots)
        for_agent = len(names & (own[AGENT.name] - own[SERVER.name]))
        for_server = len(names & (own[SERVER.name] - own[AGENT.name]))
        if for_agent != for_server:
            return AGENT if for_agent > for_server else SERVER
    return SERVER
