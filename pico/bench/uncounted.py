"""
A node that counts no requests: a program that the benchmark runs as a child, to see what metrics cost.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pico.config.load import load
from pico.config.server import ServerConfig
from pico.metrics import Metrics
from pico.net.memory import tune
from pico.net.reactor import install
from pico.server.node import make_server


def flags_in(arguments: Sequence[str]) -> dict[str, str]:
    """
    The settings on a command line of ``pico server``: a flag and its value, or a switch.
    """
    flags: dict[str, str] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name = argument.removeprefix("--").replace("-", "_")
            flags[name] = "true"
        else:
            flags[name] = argument
    return flags


def main(arguments: Sequence[str]) -> None:
    """
    Run until a signal comes.
    """
    config = load(ServerConfig, flags=flags_in(arguments)).config
    reactor = install()
    node = make_server(config, reactor, clock=reactor, metrics=Metrics(counting=False))
    node.privilegedStartService()
    node.startService()
    tune()
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
