"""
Is a configuration that of a node or of an agent?
"""

from __future__ import annotations

from collections.abc import Collection

from pico.config.agent import AgentConfig
from pico.config.faults import Fault
from pico.config.fields import leaves
from pico.config.server import ServerConfig
from pico.config.yaml import read

_SERVER = {leaf.path[0] for leaf in leaves(ServerConfig)}
_AGENT = {leaf.path[0] for leaf in leaves(AgentConfig)}


def kind_of(text: str, variables: Collection[str] = ()) -> str:
    """
    Tell it by what is set.

    :param text: the file; empty without one.
    :param variables: the names of environment variables, which are looked at if the file does not tell.
    :return: ``server``, ``agent``, or nothing if that cannot be told.
    """
    faults: list[Fault] = []
    keys = set(read(text, "", faults).items)
    named = {name.removeprefix("PICO_").partition("__")[0].lower() for name in variables if name.startswith("PICO_")}
    for found in (keys, named):
        server, agent = found & (_SERVER - _AGENT), found & (_AGENT - _SERVER)
        if bool(server) != bool(agent):
            return "server" if server else "agent"
    return ""
